package CGI::File::Temp;

# In place of CGI.pm's own: an uploaded file is kept in memory where the route gives no directory for
# temporary files.

use strict;
use warnings;
use parent qw(File::Temp Fh);
use Symbol ();
use overload '""' => \&asString, cmp => \&compare, fallback => 1;

our $VERSION = '4.55';

sub new {
    my ($class, @options) = @_;
    my $self = eval { $class->SUPER::new(@options) };
    return $self if $self;
    my $handle = Symbol::gensym();
    my $data = '';
    CORE::open($handle, '+>', \$data) or return undef;
    ${*$handle} = "$$-" . rand;
    %{*$handle} = (UNLINK => 0);
    return bless $handle, $class;
}

sub handle { return shift }
sub compare { my ($self, $value) = @_; return "$self" cmp $value }
sub asString { my ($self) = @_; return $self->_mp_filename }

sub _mp_filename {
    my ($self, $name) = @_;
    no strict 'refs';
    ${*$self}->{_mp_filename} = $name if $name;
    return ${*$self}->{_mp_filename};
}

1;

package CGI::Fast;

# One request: FastCGI has its requests from a server that is not here, and this module does natively
# what it does here when it runs as a plain CGI program.

use strict;
use warnings;
use CGI ();

our @ISA = ('CGI');
our $VERSION = '2.16';
my $served;

sub import { shift; local $CGI::AutoloadClass; CGI->import(@_) if @_; return }
sub file_handle { return undef }
sub new {
    my ($class, @rest) = @_;
    return undef if $served++;
    CGI->_reset_globals if CGI->can('_reset_globals');
    return $CGI::Q = $class->SUPER::new(@rest);
}

1;

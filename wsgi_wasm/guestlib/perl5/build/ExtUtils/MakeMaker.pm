package ExtUtils::MakeMaker;

# Stands for the module of this name while a Makefile.PL runs: no Makefile is written, as there is
# no make here. What the file generates by itself stays, and what it says of its C sources is
# written to the file "extension", one "KEY VALUE" a line.

use strict;
use warnings;
use Exporter 'import';

our $VERSION = '7.62';
our @EXPORT = qw(WriteMakefile prompt);
our @EXPORT_OK = qw(WriteMakefile prompt neatvalue);

my %said;

sub WriteMakefile { %said = @_; return \%said }
sub prompt { return $_[1] }
sub MM::parse_version { return 0 }

# The hooks with which distributions add to a Makefile write some of their sources.
sub MY::catfile { shift; return join '/', @_ }
sub MY::catdir { shift; return join '/', @_ }
sub MY::updir { return '..' }
sub MY::curdir { return '.' }
sub MY::SUPER::post_initialize { return '' }

END {
    my $self = bless {%said, OBJ_EXT => '.o', EXE_EXT => '', PERL_CORE => 1, SOURCE => '', C => [], H => []}, 'MY';
    for my $hook (qw(post_initialize postamble)) {
        my $code = MY->can($hook) or next;
        eval { $code->($self); 1 } or warn "$hook: $@";
    }
    open my $out, '>', 'extension' or die "extension: $!";
    for my $key (qw(DEFINE INC)) {
        print $out "$key $said{$key}\n" if defined $said{$key};
    }
}

1;

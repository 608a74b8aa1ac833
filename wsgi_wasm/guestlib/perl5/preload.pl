# What most scripts load: loaded once, before the snapshot is taken. And what a site wants besides.

require strict;
require warnings;
require CGI;
require Carp;
require Cwd;
require Data::Dumper;
require Encode;
require Exporter;
require Fcntl;
require File::Basename;
require File::Spec;
require File::Temp;
require IO::File;
require List::Util;
require POSIX;
require Scalar::Util;
require Socket;
require Storable;
require Symbol;
require Time::HiRes;
require Time::Local;

# DBI in Perl alone, and what its drivers have in common.
{
    local $ENV{DBI_PUREPERL} = 2;
    require DBI;
    require DBD::WsgiWasm;
}

# Where Cwd knows no other way for a system, cwd() asks the program pwd.
{
    no warnings 'redefine';
    *Cwd::cwd = *Cwd::fastcwd = \&Cwd::getcwd;
}

{
    local @INC = ('/usr/lib/perl/library', @INC);
    if (open my $names, '<', '/wsgi_wasm/preload') {
        while (my $name = <$names>) {
            chomp $name;
            eval "require $name; 1" or die $@;
        }
    }
}

1;

package IPC::Open2;

use strict;
use warnings;
use Exporter 'import';
use Carp;

our $VERSION = '1.06';
our @EXPORT = ('open2');

sub open2 { croak "open2: exec of $_[2] failed: No such file or directory" }

1;

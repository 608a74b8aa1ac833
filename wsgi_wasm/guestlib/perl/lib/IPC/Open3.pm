package IPC::Open3;

# Programs of the host, as the route grants them: all of their input is written before they answer.

use strict;
use warnings;
use Exporter 'import';
use Carp;

our $VERSION = '1.22';
our @EXPORT = ('open3');

sub open3 { croak "open3: exec of $_[3] failed: No such file or directory" }

1;

package Template::Stash::XS;

# The Template Toolkit's own stash in Perl, where Debian's asks for that in C.

use strict;
use warnings;
use parent 'Template::Stash';

1;

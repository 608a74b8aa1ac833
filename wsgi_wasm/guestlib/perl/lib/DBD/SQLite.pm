package DBD::SQLite;

# SQLite files that `sqlite` of the route grants: see docs/perl.md.

use strict;
use warnings;
use DBD::WsgiWasm;

our $VERSION = '1.72';
our $sqlite_version = '3';

DBD::WsgiWasm::make('SQLite', $VERSION);

# The file is granted under the path that scripts have for it.
sub address {
    my (undef, $name) = @_;
    $name =~ s/^(?:dbname|db|database)=//i;
    $name =~ s/;.*//s;
    if ($name !~ m{^/} && $name =~ m{/|\.}) {
        require Cwd;
        $name =~ s{^(?:\./)+}{};
        (my $folder = Cwd::getcwd()) =~ s{/*\z}{};
        $name = "$folder/$name";
    }
    return ('sqlite', $name);
}

sub upgrades { my (undef, $dbh) = @_; return $dbh->{sqlite_unicode} }
sub decodes { my (undef, $dbh) = @_; return $dbh->{sqlite_unicode} }

package DBD::SQLite::db;

sub sqlite_last_insert_rowid { my ($dbh) = @_; return $dbh->{wasm_inserted} }
sub last_insert_rowid { my ($dbh) = @_; return $dbh->{wasm_inserted} }
sub sqlite_busy_timeout { return 5000 }

1;

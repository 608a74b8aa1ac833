package DBD::MariaDB;

# As DBD::mysql, with text that is always decoded.

use strict;
use warnings;
use DBD::mysql;

our $VERSION = '1.22';

DBD::WsgiWasm::make('MariaDB', $VERSION);

sub address { my ($class, $name, @rest) = @_; $name =~ s/mariadb_ssl=/mysql_ssl=/; return DBD::mysql->address($name, @rest) }
sub upgrades { return 1 }
sub decodes { return 1 }

*DBD::MariaDB::db::quote = \&DBD::mysql::db::quote;

1;

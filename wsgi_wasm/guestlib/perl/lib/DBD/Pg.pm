package DBD::Pg;

# PostgreSQL servers that `postgres` of the route lists: see docs/perl.md.

use strict;
use warnings;
use DBD::WsgiWasm;
use Exporter 'import';

our $VERSION = '3.16.0';

my %TYPES = (PG_BOOL => 16, PG_BYTEA => 17, PG_INT8 => 20, PG_INT2 => 21, PG_INT4 => 23, PG_TEXT => 25, PG_JSON => 114,
    PG_FLOAT4 => 700, PG_FLOAT8 => 701, PG_VARCHAR => 1043, PG_DATE => 1082, PG_TIMESTAMP => 1114, PG_TIMESTAMPTZ => 1184,
    PG_NUMERIC => 1700, PG_UUID => 2950, PG_JSONB => 3802);
{
    no strict 'refs';
    for my $name (keys %TYPES) { my $value = $TYPES{$name}; *$name = sub () { $value } }
}
our %EXPORT_TAGS = (pg_types => [ keys %TYPES ]);
our @EXPORT_OK = keys %TYPES;

DBD::WsgiWasm::make('Pg', $VERSION);

sub address {
    my (undef, $name, $user, $password) = @_;
    my %given;
    for my $part (split /[;\s]+(?=\w+\s*=)/, $name) {
        $given{ lc $1 } = $2 if $part =~ /^\s*(\w+)\s*=\s*'?(.*?)'?\s*;?\s*\z/s;
    }
    for (qw(database db)) { $given{dbname} = delete $given{$_} if defined $given{$_} }
    $given{host} = 'localhost' if !defined $given{host} || $given{host} eq '' || $given{host} =~ m{^/};
    $given{user} = $user if defined $user && $user ne '';
    $given{password} = $password if defined $password && $password ne '';
    my @words;
    for my $word (sort keys %given) {
        (my $text = $given{$word}) =~ s/([\\'])/\\$1/g;
        utf8::encode($text) if utf8::is_utf8($text);
        push @words, "$word='$text'";
    }
    return ('postgres', "@words");
}

# As the driver itself does where the client's encoding is UTF-8, as it is here.
sub upgrades { my (undef, $dbh) = @_; return !defined $dbh->{pg_enable_utf8} || $dbh->{pg_enable_utf8} }
sub decodes { my (undef, $dbh) = @_; return !defined $dbh->{pg_enable_utf8} || $dbh->{pg_enable_utf8} }

package DBD::Pg::db;

sub quote {
    my ($dbh, $value, $type) = @_;
    return 'NULL' unless defined $value;
    my $quoted = $dbh->SUPER::quote($value, $type);
    return $quoted =~ s/\\/\\\\/g ? "E$quoted" : $quoted;
}

1;

package DBD::mysql;

# MySQL servers that `mysql` of the route lists: see docs/perl.md.

use strict;
use warnings;
use DBD::WsgiWasm;

our $VERSION = '4.050';

DBD::WsgiWasm::make('mysql', $VERSION);

sub address {
    my (undef, $name, $user, $password, $attributes) = @_;
    my ($database, %given) = ('');
    my @positions = qw(database host port);
    for my $part (split /[:;]/, $name) {
        if ($part =~ /^\s*(\w+)\s*=\s*(.*?)\s*\z/s) { $given{ lc $1 } = $2 }
        elsif (@positions) { $given{ shift @positions } = $part }
    }
    for (qw(database dbname db)) { $database = $given{$_} if defined $given{$_} && $given{$_} ne '' }
    my $host = defined $given{host} && $given{host} ne '' ? $given{host} : 'localhost';
    my $port = $given{port} || 3306;
    my ($who, $secret, $where) = map { my $text = defined $_ ? "$_" : ''; escaped($text) } $user, $password, $database;
    my $mode = $given{mysql_ssl} || $attributes->{mysql_ssl} ? '?ssl-mode=required' : '';
    return ('mysql', "mysql://$who:$secret\@$host:$port/$where$mode");
}

sub escaped {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

sub upgrades { my (undef, $dbh) = @_; return $dbh->{mysql_enable_utf8} || $dbh->{mysql_enable_utf8mb4} }
sub decodes { my (undef, $dbh) = @_; return $dbh->{mysql_enable_utf8} || $dbh->{mysql_enable_utf8mb4} }

package DBD::mysql::db;

my %ESCAPED = ("\0" => '\0', "\n" => '\n', "\r" => '\r', "\x1a" => '\Z', "'" => "\\'", '"' => '\"', '\\' => '\\\\');

sub quote {
    my ($dbh, $value, $type) = @_;
    return 'NULL' unless defined $value;
    return $dbh->SUPER::quote($value, $type) if defined $type && $value =~ /^-?\d+(?:\.\d+)?\z/;
    (my $text = "$value") =~ s/([\0\n\r\x1a'"\\])/$ESCAPED{$1}/g;
    return "'$text'";
}

1;

#!/usr/bin/perl -w
use strict;
use DBI;

print "Content-Type: text/plain; charset=utf-8\n\n";

my $dbh = DBI->connect($ENV{DSN}, $ENV{DB_USER}, $ENV{DB_PASSWORD}, { RaiseError => 1, PrintError => 0 })
    or die $DBI::errstr;
my $kind = $dbh->{Driver}{Name};
my $serial = { SQLite => 'INTEGER PRIMARY KEY', Pg => 'serial PRIMARY KEY' }->{$kind} || 'int AUTO_INCREMENT PRIMARY KEY';
$dbh->do('DROP TABLE IF EXISTS goods');
$dbh->do("CREATE TABLE goods (id $serial, name varchar(100), price numeric(10,2), note text)");

# Placeholders, and what is in quotes and comments.
my $insert = $dbh->prepare("INSERT INTO goods (name, price, note) VALUES (?, ?, ?) -- ?\n");
print 'parameters ', $insert->{NUM_OF_PARAMS}, "\n";
print 'inserted ', $insert->execute('apple', 1.25, undef), "\n";
print 'id ', $dbh->last_insert_id(undef, undef, 'goods', 'id'), "\n";
$insert->execute("O'Brien; DROP TABLE goods; --", '2.50', 'a\\b "c"');
$insert->bind_param(1, 'pear');
$insert->bind_param(2, 3);
$insert->bind_param(3, "line\nline");
$insert->execute;
print 'id ', $dbh->last_insert_id(undef, undef, 'goods', 'id'), "\n";

# Every way of fetching.
my $select = $dbh->prepare('SELECT id, name, note FROM goods WHERE id >= ? ORDER BY id');
$select->execute(1);
while (my @row = $select->fetchrow_array) { print join('|', map { defined ? $_ : 'NULL' } @row), "\n" }
$select->execute(2);
while (my $row = $select->fetchrow_hashref) { print join(', ', map { "$_=$row->{$_}" } sort keys %$row), "\n" }
$select->execute(3);
while (my $row = $select->fetch) { print "[@$row[0, 1]]\n" }
$select->execute(1);
$select->bind_columns(\my ($id, $name, $note));
my $columns = join(',', @{ $select->{NAME} }) . " $select->{NUM_OF_FIELDS}";
print "$id: $name\n" while $select->fetch;
print "columns $columns\n";
$select->finish;
print join(' ', map { $_->[0] } @{ $dbh->selectall_arrayref('SELECT name FROM goods WHERE id <> ? ORDER BY id', undef, 2) }), "\n";
print join(' ', @{ $dbh->selectcol_arrayref('SELECT id FROM goods ORDER BY id DESC') }), "\n";
my $by_id = $dbh->selectall_hashref('SELECT id, name FROM goods', 'id');
print join(' ', map { "$_ $by_id->{$_}{name}" } sort keys %$by_id), "\n";
print join(' ', $dbh->selectrow_array('SELECT count(*), max(id) FROM goods')), "\n";
my $row = $dbh->selectrow_hashref('SELECT name AS title FROM goods WHERE id = ?', { Columns => {} }, 3);
print "$row->{title}\n";
my $slices = $dbh->selectall_arrayref('SELECT id, name FROM goods ORDER BY id', { Slice => {} });
print join(' ', map { "$_->{id}:$_->{name}" } @$slices), "\n";
print 'none: ', defined $dbh->selectrow_array('SELECT id FROM goods WHERE id = 77') ? 'row' : 'undef', "\n";

# What is changed.
print 'updated ', $dbh->do('UPDATE goods SET price = price + 1 WHERE id > ?', undef, 1), "\n";
print 'updated ', $dbh->do('UPDATE goods SET price = 0 WHERE id = 77'), "\n";
print 'price ', 0 + ($dbh->selectrow_array('SELECT price FROM goods WHERE id = 2'))[0], "\n";

# Quoting.
for my $text ("it's", 'back\\slash', "new\nline", 'plain', 'both \\\' here') {
    my ($back) = $dbh->selectrow_array('SELECT ' . $dbh->quote($text));
    print 'quoted ', $back eq $text ? 'same' : "different: $back", "\n";
}
print $dbh->quote(undef), ' ', $dbh->quote_identifier('a b') =~ /^(["`])a b\g1$/ ? 'quoted' : 'not quoted', "\n";

# Transactions.
$dbh->begin_work;
$dbh->do('DELETE FROM goods');
$dbh->rollback;
print 'after rollback ', $dbh->selectrow_array('SELECT count(*) FROM goods'), "\n";
$dbh->{AutoCommit} = 0;
$dbh->do("UPDATE goods SET note = 'kept' WHERE id = 1");
$dbh->commit;
$dbh->do("UPDATE goods SET note = 'lost' WHERE id = 1");
$dbh->rollback;
$dbh->{AutoCommit} = 1;
print 'note ', $dbh->selectrow_array('SELECT note FROM goods WHERE id = 1'), "\n";

# Errors.
eval { $dbh->do('SELEKT 1') };
print 'raised ', $@ =~ /^DBD::\w+::db do failed: .*syntax/is ? 'syntax' : $@, "\n";
print 'err ', $dbh->err ? 'set' : 'not set', ', errstr ', $dbh->errstr =~ /syntax/i ? 'syntax' : $dbh->errstr, "\n";
$dbh->{RaiseError} = 0;
my $failed = $dbh->prepare('SELECT * FROM nowhere');
my $done = $failed && $failed->execute;
print 'not raised ', defined $done ? 'done' : 'undef', ' ', $DBI::errstr =~ /nowhere/ ? 'nowhere' : $DBI::errstr, "\n";
my $wrong = $dbh->prepare('SELECT id FROM goods WHERE id = ?');
print 'too many ', defined eval { $wrong->execute(1, 2) } ? 'done' : 'undef', "\n";
print 'still ', $dbh->selectrow_array('SELECT count(*) FROM goods'), "\n";

# Text beyond ASCII, and many rows.
my $word = "gr\xc3\xbcn";
utf8::decode($word) if $kind eq 'Pg' || $kind eq 'MariaDB';
$dbh->do('UPDATE goods SET note = ? WHERE id = 3', undef, $word);
my ($back) = $dbh->selectrow_array('SELECT note FROM goods WHERE id = 3');
my ($length) = $dbh->selectrow_array('SELECT length(name) FROM goods WHERE id = 3');
print 'same ', $back eq $word ? 1 : 0, " $length\n";
my $many = 'SELECT a.name, b.note FROM goods a CROSS JOIN goods b';
$many .= " CROSS JOIN goods $_" for 'c' .. 'h';
my ($count, $size) = (0, 0);
my $sth = $dbh->prepare($many);
$sth->execute;
while (my $found = $sth->fetchrow_arrayref) { $count++; $size += length $found->[0] }
print "many $count $size\n";
print 'ping ', $dbh->ping ? 1 : 0, "\n";
$dbh->disconnect;
print 'after ', $dbh->{Active} ? 1 : 0, "\n";

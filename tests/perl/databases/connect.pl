#!/usr/bin/perl
use DBI;
print "Content-Type: text/plain\n\n";
my $dbh = DBI->connect($ENV{DSN}, 'alice', 'x', { PrintError => 0 });
print defined $dbh ? "connected\n" : "undef|$DBI::errstr\n";

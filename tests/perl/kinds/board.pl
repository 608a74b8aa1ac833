#!/usr/bin/perl -w
# A message board: threads as files in a directory.
use strict;
use vars qw(%in);
require "./cgi-lib.pl";
my $dir = 'data/board';
mkdir $dir, 0777 unless -d $dir;
ReadParse();
my $thread = $in{thread} || '';
$thread =~ /^(\d*)$/ or fail("no such thread");
if ($ENV{REQUEST_METHOD} eq 'POST') {
    if ($thread eq '') {
        opendir(DIR, $dir) or fail($!);
        my ($last) = sort { $b <=> $a } 0, grep { /^\d+$/ } readdir DIR;
        closedir DIR;
        $thread = $last + 1;
    }
    open(OUT, ">>$dir/$thread") or fail($!);
    my ($text) = map { s/\s+/ /gr } $in{text};
    print OUT join("\t", $in{author}, $text), "\n";
    close OUT;
}
print PrintHeader();
foreach my $number (sort { $a <=> $b } map { /(\d+)$/ } glob("$dir/*")) {
    next if $thread ne '' && $number != $thread;
    open(IN, "<$dir/$number") or next;
    print "<h2>Thread $number</h2>\n<ol>\n";
    while (<IN>) { chomp; my ($author, $text) = split /\t/; print "<li>", html($author), ": ", html($text), "</li>\n" }
    print "</ol>\n";
    close IN;
}
sub fail { print "Status: 404 Not Found\nContent-type: text/plain\n\n$_[0]\n"; exit }

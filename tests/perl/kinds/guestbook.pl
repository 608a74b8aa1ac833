#!/usr/bin/perl
# A guestbook in one file: entries on top.
require "cgi-lib.pl";
$book = "data/guestbook.html";
if ($ENV{'REQUEST_METHOD'} eq 'POST') {
    &ReadParse;
    open(FILE, "+<$book") || open(FILE, "+>$book") || die "Can't open $book: $!";
    flock(FILE, 2);
    @lines = <FILE>;
    seek(FILE, 0, 0);
    print FILE "<p><b>", &html($in{'name'}), "</b>: ", &html($in{'comments'}), "</p>\n", @lines;
    truncate(FILE, tell(FILE));
    close(FILE);
    print "Location: http://$ENV{'SERVER_NAME'}$ENV{'SCRIPT_NAME'}\n\n";
    exit 0;
}
print &PrintHeader;
print "<title>Guestbook</title>\n";
if (open(FILE, $book)) { while (<FILE>) { print; } close(FILE); } else { print "<p>No entries yet.</p>\n"; }

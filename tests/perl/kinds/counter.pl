#!/usr/bin/perl
# A counter as a picture (XBM) or as text.
use Fcntl qw(:flock);
$file = 'data/count';
open(COUNT, -e $file ? "+<$file" : "+>$file") or die "count: $!";
flock(COUNT, LOCK_EX) or die "lock: $!";
$count = <COUNT> || 0;
chomp $count;
$count++;
seek(COUNT, 0, 0);
print COUNT "$count\n";
truncate(COUNT, tell COUNT);
close COUNT;
$text = sprintf("%06d", $count);
if ($ENV{QUERY_STRING} eq 'text') { print "Content-type: text/plain\nPragma: no-cache\n\n$text\n"; exit }
@digits = ("3c66666e7666663c", "1818381818187e00", "3c66060c3060667e", "3c66061c0606663c", "0c1c3c6c7e0c0c0c",
    "7e60607c0606663c", "3c66607c6666663c", "7e06060c18181818", "3c66663c6666663c", "3c66663e0606663c");
print "Content-type: image/x-xbitmap\n\n#define count_width ", 8 * length $text, "\n#define count_height 8\n";
print "static char count_bits[] = {\n";
for $row (0 .. 7) { print join(', ', map { '0x' . substr($digits[$_], 2 * $row, 2) } split //, $text), $row < 7 ? ",\n" : "};\n" }

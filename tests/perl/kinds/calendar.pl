#!/usr/bin/perl
# A calendar of one month.
use strict;
use warnings;
use POSIX qw(strftime mktime);
use Time::Local;
my %in = map { split /=/, $_, 2 } split /&/, $ENV{QUERY_STRING} || '';
my ($year, $month) = ($in{year} || 2026, $in{month} || 1);
my $first = timegm(0, 0, 0, 1, $month - 1, $year);
my $days = (gmtime timegm(0, 0, 0, 1, $month % 12, $year + int($month / 12)) - 86400)[3];
print "Content-Type: text/html\n\n<table>\n<caption>", strftime('%B %Y', gmtime $first), "</caption>\n";
print '<tr>', (map { "<th>$_</th>" } map { strftime('%a', gmtime 345600 + 86400 * $_) } 0 .. 6), "</tr>\n";
my $column = ((gmtime $first)[6] + 6) % 7;
print '<tr>', '<td></td>' x $column;
for my $day (1 .. $days) {
    print "<td>$day</td>";
    print "</tr>\n<tr>" if ++$column % 7 == 0 && $day < $days;
}
print "</tr>\n</table>\n";
printf "<p>day %d of the year, week %s</p>\n", (gmtime $first)[7] + 1, strftime('%V', gmtime $first);

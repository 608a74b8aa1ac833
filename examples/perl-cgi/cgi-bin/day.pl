#!/usr/bin/perl
use POSIX qw(strftime);
my ($seconds) = ($ENV{QUERY_STRING} || 0) =~ /(\d+)/;
print "Content-Type: text/plain\n\n", strftime("%A, %d %B %Y %H:%M %Z", localtime $seconds), "\n";

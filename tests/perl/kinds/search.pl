#!/usr/bin/perl
# Looks for words in the pages of a directory.
require "cgi-lib.pl";
use File::Find;
&ReadParse;
@words = split(' ', lc $in{'words'});
find(sub { push @files, $File::Find::name if /\.html$/ }, 'pages');
foreach $file (sort @files) {
    undef $/;
    open(PAGE, $file) || next;
    $page = <PAGE>;
    close(PAGE);
    $title = $page =~ /<title>(.*?)<\/title>/i ? $1 : $file;
    ($plain = lc $page) =~ s/<[^>]*>/ /g;
    $score = 0;
    foreach $word (@words) { $score += () = $plain =~ /\b\Q$word\E\b/g; }
    $found{$file} = $score, $title{$file} = $title if $score;
}
print &PrintHeader, "<ul>\n";
foreach $file (sort { $found{$b} <=> $found{$a} || $a cmp $b } keys %found) {
    printf "<li><a href=\"/%s\">%s</a> (%d, %d bytes)\n", $file, $title{$file}, $found{$file}, -s $file;
}
print "</ul>\n", scalar(keys %found), " of ", scalar(@files), " pages\n";

#!/usr/bin/perl -T
# Takes a file with CGI.pm and keeps it.
use strict;
use warnings;
use CGI;
$CGI::POST_MAX = 40_000;
my $q = CGI->new;
if (my $error = $q->cgi_error) { print $q->header(-status => $error), "<p>$error</p>\n"; exit }
my $handle = $q->upload('file');
if (!$handle) { print $q->header, $q->start_multipart_form, $q->filefield('file'), $q->submit('send'), $q->end_form, "\n"; exit }
my ($name) = $q->param('file') =~ /([A-Za-z0-9_.-]+)$/ or die "bad name";
open my $out, '>', "data/$name" or die "keep: $!";
binmode $out;
my $size = 0;
while (read $handle, my $piece, 4096) { print $out $piece; $size += length $piece }
close $out;
print $q->header('text/plain'), "$name: $size bytes, ", unpack('%32C*', do { local (@ARGV, $/) = "data/$name"; <> }) % 65535, "\n";

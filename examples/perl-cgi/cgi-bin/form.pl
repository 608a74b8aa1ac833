#!/usr/bin/perl -T
use strict;
use warnings;
use CGI qw(:standard);
use CGI::Carp qw(fatalsToBrowser);

my $name = param('name') || 'nobody';
print header(-charset => 'utf-8'), h1('Hello, ' . escapeHTML($name) . '!'), "\n";
print p('You used ' . request_method() . '.'), "\n";
if (my $file = upload('upload')) {
    my $size = do { local $/; length <$file> };
    print p(escapeHTML(scalar param('upload')) . " has $size bytes."), "\n";
}

#!/usr/bin/perl
# A form mailer.
require "cgi-lib.pl";
$mailprog = '/usr/sbin/sendmail';
&ReadParse;
&complain("Please give an address.") unless $in{'email'} =~ /^[\w.+-]+\@[\w.-]+$/;
open(MAIL, "|$mailprog -t -oi") || &complain("There is no mail here.");
print MAIL "To: office\@example.org\n";
print MAIL "From: forms\@example.org\n";
print MAIL "Reply-To: $in{'email'}\n";
print MAIL "Subject: $in{'subject'}\n\n" if $in{'subject'} !~ /[\r\n]/;
foreach $key (sort keys %in) { print MAIL "$key: $in{$key}\n"; }
close(MAIL) || &complain("The mail was not taken.");
print &PrintHeader, "<h1>Thank you</h1>\n<p>", &html($in{'email'}), "</p>\n";
exit;

sub complain {
    local ($text) = @_;
    print "Status: 400 Bad Request\n", &PrintHeader, "<p>$text</p>\n";
    exit;
}

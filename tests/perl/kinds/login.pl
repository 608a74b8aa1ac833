#!/usr/bin/perl
# A log-in with a file of passwords, and a session by a cookie.
use strict;
use CGI qw(:standard);
use Digest::MD5 qw(md5_hex);
my $secret = 'not so secret';
sub ticket { my $user = shift; return "$user:" . md5_hex("$user/$secret") }
my ($user) = (cookie('session') || '') =~ /^(\w+):/;
undef $user if defined $user && cookie('session') ne ticket($user);
if (defined param('user')) {
    my ($name, $password) = (scalar param('user'), scalar param('password'));
    open my $users, '<', 'users' or die "users: $!";
    while (<$users>) {
        chomp;
        my ($known, $hash) = split /:/;
        next unless $known eq $name && crypt($password, $hash) eq $hash;
        print redirect(-uri => url(-absolute => 1), -cookie => cookie(-name => 'session', -value => ticket($name))), '';
        exit;
    }
    print header(-status => '403 Forbidden'), "<p>Wrong name or password</p>\n";
    exit;
}
print header, defined $user ? "<p>Hello " . escapeHTML($user) . "</p>\n" : start_form . textfield('user') . password_field('password') . end_form . "\n";

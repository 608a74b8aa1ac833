#!/usr/bin/perl
# A poll: votes in a file, one for each visitor by a cookie.
use CGI qw(:standard);
my @choices = ('tea', 'coffee', 'water');
my %votes = map { $_ => 0 } @choices;
my $file = 'data/votes.txt';
my $cookie;
if (defined param('vote') && !cookie('voted')) {
    my $vote = param('vote');
    die "no such choice\n" unless exists $votes{$vote};
    open(VOTES, ">>$file") or die "votes: $!";
    flock(VOTES, 2);
    print VOTES "$vote\n";
    close(VOTES);
    $cookie = cookie(-name => 'voted', -value => $vote, -path => '/');
}
if (open(VOTES, $file)) { while (<VOTES>) { chomp; $votes{$_}++ } close VOTES }
my $all = 0;
$all += $_ for values %votes;
print $cookie ? header(-cookie => $cookie) : header(), start_html('Poll');
for my $choice (@choices) {
    printf "<p>%-8s %3d %5.1f%% %s</p>\n", $choice, $votes{$choice}, $all ? 100 * $votes{$choice} / $all : 0, '*' x $votes{$choice};
}
print end_html, "\n";

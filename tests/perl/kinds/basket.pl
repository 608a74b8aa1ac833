#!/usr/bin/perl -w
# A shop with a basket that is kept on the server, by a cookie.
use strict;
use CGI;
use Storable qw(store retrieve);
my %prices = (tea => 3.5, cup => 12, pot => 29.95);
my $q = CGI->new;
my $id = $q->cookie('basket') || '';
$id = $q->param('id') || sprintf '%08x', rand 2**32 unless $id =~ /^[0-9a-f]{8}$/;
my $file = "data/basket-$id";
my $basket = -e $file ? retrieve($file) : {};
for my $item (grep { exists $prices{$_} } $q->param) {
    my $count = $q->param($item);
    $count =~ /^\d{1,3}$/ or next;
    $count ? ($basket->{$item} = $count) : delete $basket->{$item};
}
store($basket, $file) or die "basket: $!";
print $q->header(-type => 'text/html', -cookie => $q->cookie(-name => 'basket', -value => $id)), "<table>\n";
my $sum = 0;
for my $item (sort keys %$basket) {
    my $price = $basket->{$item} * $prices{$item};
    $sum += $price;
    print "<tr><td>$item<td>$basket->{$item}<td>", sprintf('%.2f', $price), "\n";
}
print "</table>\n<p>", sprintf('%.2f', $sum), "</p>\n";

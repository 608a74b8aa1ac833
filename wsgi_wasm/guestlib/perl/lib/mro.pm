package mro;

# The part of the compiled module that others ask for. Classes are searched depth first, always.

use strict;
use warnings;

our $VERSION = '1.29';

sub import { }
sub get_mro { 'dfs' }
sub set_mro { }
sub is_universal { $_[0] eq 'UNIVERSAL' }
sub get_pkg_gen { 1 }

sub get_linear_isa {
    my ($class) = @_;
    my %seen;
    my $walk;
    $walk = sub { my $one = shift; no strict 'refs'; $seen{$one}++ ? () : ($one, map { $walk->($_) } @{"${one}::ISA"}) };
    my @found = $walk->($class);
    undef $walk;
    return \@found;
}

sub get_isarev {
    my ($wanted) = @_;
    no strict 'refs';
    return [grep { my $class = $_; grep { $_ eq $wanted } @{ get_linear_isa($class) } } map { /^(\w+)::\z/ && $1 ne 'main' ? $1 : () } keys %main::];
}

1;

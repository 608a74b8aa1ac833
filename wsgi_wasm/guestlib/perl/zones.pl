# Local time by TZ: the name of a zone, whose data is in the snapshot, or a rule as POSIX has it. Without
# TZ it is UTC.

use strict;
use warnings;

package WsgiWasm;

our %zones;    # TZif files (RFC 8536) by name
my %known;     # by TZ: [rule, times, types of the times, types]

# Offset in seconds and name of the zone at a time, and whether it is summer time there.
sub zone {
    my ($time) = @_;
    my $name = $ENV{TZ};
    return (0, 'UTC', 0) if !defined $name || $name eq '';
    my $zone = $known{$name} ||= read_zone($name);
    my ($rule, $times, $indexes, $types) = @$zone;
    return by_rule($rule, $time) if !@$times || ($rule && $time >= $times->[-1]);
    return @{ first_type($types) } if $time < $times->[0];
    my ($low, $high) = (0, scalar @$times);
    while ($high - $low > 1) {
        my $middle = int(($low + $high) / 2);
        if ($times->[$middle] <= $time) { $low = $middle } else { $high = $middle }
    }
    return @{ $types->[$indexes->[$low]] };
}

sub first_type { my ($types) = @_; (grep { !$_->[2] } @$types)[0] || $types->[0] }

sub read_zone {
    my ($name) = @_;
    (my $plain = $name) =~ s/^:?(?:.*\/zoneinfo\/)?//;
    my $data = $zones{$plain};
    return [read_rule($plain), [], [], []] unless defined $data;
    my @counts = unpack 'x20N6', $data;    # isut, isstd, leap, time, type, char
    my $skip = 44 + $counts[3] * 5 + $counts[4] * 6 + $counts[5] + $counts[2] * 8 + $counts[1] + $counts[0];
    $data = substr $data, $skip;
    my (undef, undef, $leaps, $count, $types, $chars) = @counts = unpack 'x20N6', $data;
    my @times = unpack "x44(q>)$count", $data;
    my @indexes = unpack 'x' . (44 + 8 * $count) . "C$count", $data;
    my $at = 44 + 9 * $count;
    my $names = substr $data, $at + 6 * $types, $chars;
    my @types = map {
        my ($offset, $summer, $where) = unpack 'l>CC', substr $data, $at + 6 * $_, 6;
        [$offset, unpack('Z*', substr $names, $where), $summer];
    } 0 .. $types - 1;
    my $footer = substr $data, $at + 6 * $types + $chars + $leaps * 12 + $counts[1] + $counts[0];
    my ($rule) = $footer =~ /\A\n(.*)\n/;
    return [read_rule(defined $rule && $rule ne '' ? $rule : undef), \@times, \@indexes, \@types];
}

my $offset = qr/[-+]?\d{1,3}(?::\d{2}){0,2}/;

sub seconds {
    my ($sign, @parts) = $_[0] =~ /([-+]?)(\d+)(?::(\d+))?(?::(\d+))?/;
    my $value = $parts[0] * 3600 + ($parts[1] || 0) * 60 + ($parts[2] || 0);
    return $sign eq '-' ? -$value : $value;
}

# POSIX.1-2017, 8.3: std offset dst [offset] , start[/time] , end[/time]
sub read_rule {
    my ($text) = @_;
    return undef unless defined $text;
    my $word = qr/<[-+\w]+>|[A-Za-z]{3,}/;
    my ($name, $from, $summer, $to, $start, $end) = $text =~ /\A($word)($offset)(?:($word)($offset)?(?:,([^,]+),([^,]+))?)?\z/
        or return [[0, $text =~ /\A([A-Za-z]{3,})/ ? $1 : 'UTC', 0]];
    s/[<>]//g for grep { defined } $name, $summer;
    my $standard = [-seconds($from), $name, 0];
    return [$standard] unless defined $summer;
    my $other = [defined $to ? -seconds($to) : $standard->[0] + 3600, $summer, 1];
    return [$standard, $other, map { [split m{/}] } $start || 'M3.2.0', $end || 'M11.1.0'];
}

sub by_rule {
    my ($rule, $time) = @_;
    my ($standard, $summer, $start, $end) = @{ $rule || [[0, 'UTC', 0]] };
    return @$standard unless $summer;
    my $year = (CORE::gmtime($time + $standard->[0]))[5] + 1900;
    my $from = change($year, @$start) - $standard->[0];
    my $to = change($year, @$end) - $summer->[0];
    my $is_summer = $from < $to ? $time >= $from && $time < $to : $time >= $from || $time < $to;
    return $is_summer ? @$summer : @$standard;
}

# When a rule takes effect in a year, as local time.
sub change {
    my ($year, $date, $at) = @_;
    my $day;
    if ($date =~ /\AM(\d+)\.(\d+)\.(\d+)\z/) {
        my ($month, $week, $weekday) = ($1, $2, $3);
        my $first = POSIX::_days($year, $month - 1, 1);
        $day = $first + ($weekday - ($first + 4)) % 7 + 7 * ($week - 1);
        $day -= 7 while $day >= POSIX::_days($year, $month, 1);
    }
    elsif ($date =~ /\AJ(\d+)\z/) { $day = POSIX::_days($year, 0, 1) + $1 - 1 + ($1 > 59 && POSIX::_days($year, 2, 1) - POSIX::_days($year, 1, 1) == 29 ? 1 : 0) }
    else { $day = POSIX::_days($year, 0, 1) + $date }
    return $day * 86400 + (defined $at ? seconds($at) : 7200);
}

# Read before the snapshot.
sub gather_zones {
    my ($root, $folder) = @_;
    opendir my $listing, "$root/$folder" or return;
    for my $name (grep { !/^\.|\.(?:py|tab|zi|list)$|^leap/ } readdir $listing) {
        my $path = $folder eq '' ? $name : "$folder/$name";
        if (-d "$root/$path") { gather_zones($root, $path); next }
        CORE::open(my $handle, '<:raw', "$root/$path") or die "$path: $!";
        local $/;
        my $data = <$handle>;
        $zones{$path} = $data if $data =~ /\ATZif[2-9]/;
    }
}

gather_zones('/wsgi_wasm/zoneinfo', '');

1;

package Sys::Syslog;

# To the host's log: see docs/perl.md.

use strict;
use warnings;
use Exporter 'import';

our $VERSION = '0.36';
our (%LEVELS, %FACILITIES);
my @options = qw(LOG_PID LOG_CONS LOG_ODELAY LOG_NDELAY LOG_NOWAIT LOG_PERROR);

BEGIN {
    my $level = 0;
    %LEVELS = map { $_ => $level++ } qw(EMERG ALERT CRIT ERR WARNING NOTICE INFO DEBUG);
    my $facility = 0;
    %FACILITIES = map { $_ => 8 * $facility++ }
        qw(KERN USER MAIL DAEMON AUTH SYSLOG LPR NEWS UUCP CRON AUTHPRIV FTP);
    $FACILITIES{"LOCAL$_"} = 8 * (16 + $_) for 0 .. 7;
    no strict 'refs';
    my %constants = (%LEVELS, %FACILITIES, FACMASK => 0x3f8, PRIMASK => 7);
    for my $name (keys %constants) { my $value = $constants{$name}; *{"LOG_$name"} = sub () { $value } }
    my $option = 1;
    for my $name (qw(PID CONS ODELAY NDELAY NOWAIT PERROR)) { my $value = $option; *{"LOG_$name"} = sub () { $value }; $option *= 2 }
}

our @EXPORT = (qw(openlog closelog syslog setlogmask), @options, map { "LOG_$_" } keys %LEVELS, keys %FACILITIES);
push @EXPORT, qw(LOG_FACMASK LOG_PRIMASK);
our @EXPORT_OK = qw(setlogsock LOG_UPTO LOG_MASK xlate);
our %EXPORT_TAGS = (standard => [@EXPORT], macros => [grep { /^LOG_/ } @EXPORT], extended => ['setlogsock']);

my ($ident, $pid, $facility, $mask) = ('', 0, 8, 0xff);

sub xlate {
    my ($name) = @_;
    return $name if $name =~ /^\d+\z/;
    (my $plain = uc $name) =~ s/^LOG_//;
    $plain = { ERROR => 'ERR', WARN => 'WARNING', PANIC => 'EMERG', SECURITY => 'AUTH' }->{$plain} || $plain;
    return exists $LEVELS{$plain} ? $LEVELS{$plain} : exists $FACILITIES{$plain} ? $FACILITIES{$plain} : -1;
}

sub openlog {
    my ($name, $options, $where) = @_;
    $ident = defined $name ? $name : '';
    $pid = defined $options && ($options =~ /\bpid\b/i || $options =~ /^\d+\z/ && $options & 1);
    $facility = xlate($where) if defined $where && xlate($where) >= 0;
    return 1;
}

sub closelog { ($ident, $pid) = ('', 0); return 1 }
sub setlogsock { return 1 }
sub LOG_MASK { 1 << $_[0] }
sub LOG_UPTO { (1 << ($_[0] + 1)) - 1 }
sub setlogmask { my $old = $mask; $mask = $_[0] if $_[0]; return $old }

sub syslog {
    my ($priority, $format, @values) = @_;
    my ($level, $where) = (undef, $facility);
    for my $word (split /[\W_]*[,|][\W]*|\s+/, $priority) {
        my $number = xlate($word);
        if ($number < 0) { require Carp; Carp::croak("syslog: invalid level/facility: $word") }
        if ($number < 8) { $level = $number } else { $where = $number & 0x3f8; $level = $number & 7 if $number & 7 }
    }
    $level = 5 unless defined $level;
    return 1 unless $mask & 1 << $level;
    $format = '%s' unless defined $format;
    my $error = "$!";
    $format =~ s/(?<!%)((?:%%)*)%m/$1 . $error =~ s{%}{%%}gr/ge;
    my $text = @values ? sprintf $format, @values : $format =~ s/%%/%/gr;
    my ($name) = $ident ne '' ? $ident : $0 =~ m{([^/]*)\z};
    $name .= "[$$]" if $pid;
    return defined WsgiWasm::ask(0x500, pack('V', $where | $level) . "$name: $text") ? 1 : '';
}

1;

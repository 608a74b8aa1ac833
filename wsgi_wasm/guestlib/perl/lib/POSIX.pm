package POSIX;

# In place of the compiled module: what is arithmetic, text and time, the constants, and Perl's own
# functions under their names in POSIX. What needs a system fails as on one that refuses.

use strict;
use warnings;
use Errno ();
use Fcntl ();
use Exporter ();

our $VERSION = '2.23';
our (@EXPORT, @EXPORT_OK, %EXPORT_TAGS);
my (%constants, %groups);

BEGIN {
    %groups = (
        limits_h => {
            CHAR_BIT => 8, CHAR_MAX => 127, CHAR_MIN => -128, SCHAR_MAX => 127, SCHAR_MIN => -128, UCHAR_MAX => 255,
            SHRT_MAX => 32767, SHRT_MIN => -32768, USHRT_MAX => 65535, INT_MAX => 2147483647, INT_MIN => -2147483648,
            UINT_MAX => 4294967295, LONG_MAX => 9223372036854775807, LONG_MIN => -9223372036854775807 - 1,
            ULONG_MAX => 18446744073709551615, PATH_MAX => 4096, NAME_MAX => 255, ARG_MAX => 131072, OPEN_MAX => 1024,
            PIPE_BUF => 4096, SSIZE_MAX => 9223372036854775807, MB_LEN_MAX => 16, CHILD_MAX => 1024, NGROUPS_MAX => 65536,
            LINK_MAX => 127, MAX_CANON => 255, MAX_INPUT => 255, STREAM_MAX => 16, TZNAME_MAX => 6,
        },
        float_h => {
            DBL_DIG => 15, DBL_EPSILON => 2.220446049250313e-16, DBL_MANT_DIG => 53, DBL_MAX => 1.797693134862316e+308,
            DBL_MAX_10_EXP => 308, DBL_MAX_EXP => 1024, DBL_MIN => 2.225073858507201e-308, DBL_MIN_10_EXP => -307,
            DBL_MIN_EXP => -1021, FLT_DIG => 6, FLT_EPSILON => 1.1920928955078125e-07, FLT_MANT_DIG => 24,
            FLT_MAX => 3.4028234663852886e+38, FLT_MIN => 1.1754943508222875e-38, FLT_RADIX => 2,
        },
        sys_wait_h => { WNOHANG => 1, WUNTRACED => 2 },
        signal_h => {
            SIGHUP => 1, SIGINT => 2, SIGQUIT => 3, SIGILL => 4, SIGTRAP => 5, SIGABRT => 6, SIGBUS => 7, SIGFPE => 8,
            SIGKILL => 9, SIGUSR1 => 10, SIGSEGV => 11, SIGUSR2 => 12, SIGPIPE => 13, SIGALRM => 14, SIGTERM => 15,
            SIGCHLD => 17, SIGCONT => 18, SIGSTOP => 19, SIGTSTP => 20, SIGTTIN => 21, SIGTTOU => 22, SIG_BLOCK => 0,
            SIG_UNBLOCK => 1, SIG_SETMASK => 2, SA_RESTART => 268435456, SA_NOCLDSTOP => 1, SA_SIGINFO => 4, SIG_DFL => 0,
            SIG_IGN => 1, SIG_ERR => -1,
        },
        locale_h => { LC_CTYPE => 0, LC_NUMERIC => 1, LC_TIME => 2, LC_COLLATE => 3, LC_MONETARY => 4, LC_MESSAGES => 5, LC_ALL => 6 },
        stdlib_h => { EXIT_FAILURE => 1, EXIT_SUCCESS => 0, MB_CUR_MAX => 1, RAND_MAX => 2147483647 },
        stdio_h => { BUFSIZ => 8192, EOF => -1, FILENAME_MAX => 4096, L_tmpnam => 20, TMP_MAX => 238328, L_ctermid => 9 },
        unistd_h => {
            F_OK => 0, R_OK => 4, W_OK => 2, X_OK => 1, STDIN_FILENO => 0, STDOUT_FILENO => 1, STDERR_FILENO => 2,
            _SC_ARG_MAX => 0, _SC_CHILD_MAX => 1, _SC_CLK_TCK => 2, _SC_NGROUPS_MAX => 3, _SC_OPEN_MAX => 4,
            _SC_PAGESIZE => 30, _PC_NAME_MAX => 3, _PC_PATH_MAX => 4,
        },
        time_h => { CLK_TCK => 100, CLOCKS_PER_SEC => 1000000 },
        termios_h => { TCSANOW => 0, TCSADRAIN => 1, TCSAFLUSH => 2, ECHO => 8, ICANON => 2, VMIN => 6, VTIME => 5, ISIG => 1 },
        math_h => { HUGE_VAL => 9**9**9, FP_NAN => 0, FP_INFINITE => 1, FP_ZERO => 2, FP_SUBNORMAL => 3, FP_NORMAL => 4,
            M_PI => 3.14159265358979323846, M_E => 2.7182818284590452354, M_SQRT2 => 1.41421356237309504880,
            M_LN2 => 0.69314718055994530942, M_LN10 => 2.30258509299404568402, M_PI_2 => 1.57079632679489661923 },
    );
    %constants = map { %{ $groups{$_} } } keys %groups;
    no strict 'refs';
    for my $name (keys %constants) { my $value = $constants{$name}; *{$name} = sub () { $value } }
    for my $name (@Errno::EXPORT_OK) { $groups{errno_h}{$name} = 1; *{$name} = \&{"Errno::$name"} }
    for my $name (grep { /^(?:O_|SEEK_|F_(?:DUPFD|[GS]ET|RDLCK|UNLCK|WRLCK)|FD_|S_I)/ } @Fcntl::EXPORT, @Fcntl::EXPORT_OK) {
        next unless $name =~ /^S_IS/ || eval { &{"Fcntl::$name"}(); 1 };
        $groups{$name =~ /^S_/ ? 'sys_stat_h' : 'fcntl_h'}{$name} = 1;
        *{$name} = \&{"Fcntl::$name"};
    }
}

# --- mathematics

sub floor { my $whole = int $_[0]; $whole > $_[0] ? $whole - 1 : $whole }
sub ceil { my $whole = int $_[0]; $whole < $_[0] ? $whole + 1 : $whole }
sub trunc { int $_[0] }
sub round { $_[0] < 0 ? ceil($_[0] - 0.5) : floor($_[0] + 0.5) }
sub lround { round($_[0]) }
sub rint { my $low = floor($_[0]); my $part = $_[0] - $low; $part > 0.5 || $part == 0.5 && $low % 2 ? $low + 1 : $low }
sub fmod { my ($x, $y) = @_; $x - $y * int($x / $y) }
sub remainder { my ($x, $y) = @_; $x - $y * rint($x / $y) }
sub pow { $_[0]**$_[1] }
sub fabs { CORE::abs($_[0]) }
sub fmax { $_[0] > $_[1] ? $_[0] : $_[1] }
sub fmin { $_[0] < $_[1] ? $_[0] : $_[1] }
sub tan { CORE::sin($_[0]) / CORE::cos($_[0]) }
sub asin { CORE::atan2($_[0], CORE::sqrt(1 - $_[0] * $_[0])) }
sub acos { CORE::atan2(CORE::sqrt(1 - $_[0] * $_[0]), $_[0]) }
sub atan { CORE::atan2($_[0], 1) }
sub sinh { (CORE::exp($_[0]) - CORE::exp(-$_[0])) / 2 }
sub cosh { (CORE::exp($_[0]) + CORE::exp(-$_[0])) / 2 }
sub tanh { my ($up, $down) = map { CORE::exp($_) } $_[0], -$_[0]; ($up - $down) / ($up + $down) }
sub log10 { CORE::log($_[0]) / CORE::log(10) }
sub log2 { CORE::log($_[0]) / CORE::log(2) }
sub log1p { CORE::log(1 + $_[0]) }
sub expm1 { CORE::exp($_[0]) - 1 }
sub exp2 { 2**$_[0] }
sub cbrt { $_[0] < 0 ? -((-$_[0])**(1 / 3)) : $_[0]**(1 / 3) }
sub hypot { CORE::sqrt($_[0]**2 + $_[1]**2) }
sub ldexp { $_[0] * 2**$_[1] }
sub modf { my $whole = int $_[0]; ($_[0] - $whole, $whole) }
sub frexp {
    my ($number) = @_;
    return (0, 0) unless $number;
    my $power = floor(log2(CORE::abs($number))) + 1;
    return ($number / 2**$power, $power);
}
sub copysign { $_[1] < 0 ? -CORE::abs($_[0]) : CORE::abs($_[0]) }
sub isnan { $_[0] != $_[0] ? 1 : 0 }
sub isinf { CORE::abs($_[0]) == 9**9**9 ? 1 : 0 }
sub isfinite { isnan($_[0]) || isinf($_[0]) ? 0 : 1 }
sub signbit { $_[0] < 0 ? 1 : 0 }

# --- text

sub strtol {
    my ($text, $base) = @_;
    $base = 10 unless defined $base;
    my ($sign, $rest) = $text =~ /^\s*([-+]?)(.*)/s;
    if ($rest =~ /^0[xX](?=[0-9a-fA-F])/ && ($base == 0 || $base == 16)) { $base = 16; $rest = substr $rest, 2 }
    $base = $rest =~ /^0/ ? 8 : 10 if $base == 0;
    my $value = 0;
    while ($rest =~ /^([0-9a-zA-Z])/) {
        my $digit = CORE::index '0123456789abcdefghijklmnopqrstuvwxyz', lc $1;
        last if $digit >= $base;
        $value = $value * $base + $digit;
        $rest = substr $rest, 1;
    }
    $value = -$value if $sign eq '-';
    return wantarray ? ($value, length $rest) : $value;
}
sub strtoul { goto &strtol }
sub strtod {
    my ($text) = @_;
    $text =~ /^\s*([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf(?:inity)?|nan))?(.*)/si;
    my ($number, $rest) = (defined $1 ? $1 + 0 : 0, length(defined $1 ? $2 : $text));
    return wantarray ? ($number, $rest) : $number;
}
sub strtold { goto &strtod }
sub strstr { CORE::index $_[0], $_[1] }
sub strcoll { $_[0] cmp $_[1] }
sub strxfrm { $_[0] }
sub strerror { local $! = $_[0]; "$!" }
sub tolower { CORE::lc $_[0] }
sub toupper { CORE::uc $_[0] }
sub perror { print STDERR @_ ? "$_[0]: $!\n" : "$!\n"; 1 }
sub atof { $_[0] + 0 }
sub mblen { length $_[0] ? 1 : 0 }

# --- time

my @days = qw(Sunday Monday Tuesday Wednesday Thursday Friday Saturday);
my @months = qw(January February March April May June July August September October November December);

# Days since 1970-01-01 of a date whose month and day may lie outside their ranges.
sub _days {
    my ($year, $month, $day) = @_;
    $year += floor($month / 12);
    $month -= 12 * floor($month / 12);
    my $y = $month < 2 ? $year - 1 : $year;
    my $era = floor($y / 400);
    my $of_era = $y - 400 * $era;
    my $of_year = int((153 * (($month + 10) % 12) + 2) / 5) + $day - 1;
    return $era * 146097 + $of_era * 365 + int($of_era / 4) - int($of_era / 100) + $of_year - 719468;
}

# The fields as they are when nothing is out of range.
sub _normal {
    my ($second, $minute, $hour, $day, $month, $year) = map { defined $_ ? int $_ : 0 } @_;
    my $seconds = _days($year + 1900, $month, $day) * 86400 + $hour * 3600 + $minute * 60 + $second;
    return (CORE::gmtime($seconds))[0 .. 7];
}

sub mktime {
    my ($second, $minute, $hour, $day, $month, $year) = map { defined $_ ? $_ : 0 } @_[0 .. 5];
    my $wanted = _days($year + 1900, $month, $day) * 86400 + $hour * 3600 + $minute * 60 + $second;
    my $guess = $wanted;
    for (1 .. 3) {
        my @local = CORE::GLOBAL::localtime($guess);
        my $there = _days($local[5] + 1900, $local[4], $local[3]) * 86400 + $local[2] * 3600 + $local[1] * 60 + $local[0];
        last if $there == $wanted;
        $guess += $wanted - $there;
    }
    return $guess;
}

sub _week {
    my ($weekday, $yearday) = @_;    # ISO 8601: the week of the year's Thursdays
    return int(($yearday - ($weekday + 6) % 7 + 10) / 7);
}

sub _iso {
    my ($year, $weekday, $yearday) = @_;
    my $week = _week($weekday, $yearday);
    my $length = sub { my $y = shift; $y % 4 == 0 && ($y % 100 || $y % 400 == 0) ? 366 : 365 };
    if ($week < 1) { return ($year - 1, _week($weekday, $yearday + $length->($year - 1))) }
    my $after = $yearday - $length->($year);
    return ($year + 1, 1) if $week == 53 && _week($weekday, $after) >= 1;
    return ($year, $week);
}

sub strftime {
    my ($format, @given) = @_;
    my $daylight = $given[8];
    my ($second, $minute, $hour, $day, $month, $year, $weekday, $yearday) = _normal(@given);
    my $full = $year + 1900;
    my %values;
    my $two = sub { sprintf '%02d', $_[0] };
    my ($iso_year, $iso_week) = _iso($full, $weekday, $yearday);
    my $zone = sub { (WsgiWasm::zone(mktime(@given[0 .. 5])))[$_[0]] };
    my $one = sub {
        my $letter = shift;
        return $letter eq 'Y' ? $full : $letter eq 'm' ? $two->($month + 1) : $letter eq 'd' ? $two->($day)
            : $letter eq 'H' ? $two->($hour) : $letter eq 'M' ? $two->($minute) : $letter eq 'S' ? $two->($second)
            : $letter eq 'a' ? CORE::substr($days[$weekday], 0, 3) : $letter eq 'A' ? $days[$weekday]
            : $letter =~ /[bh]/ ? CORE::substr($months[$month], 0, 3) : $letter eq 'B' ? $months[$month]
            : $letter eq 'y' ? $two->($full % 100) : $letter eq 'C' ? $two->(int($full / 100))
            : $letter eq 'e' ? sprintf('%2d', $day) : $letter eq 'j' ? sprintf('%03d', $yearday + 1)
            : $letter eq 'I' ? $two->($hour % 12 || 12) : $letter eq 'l' ? sprintf('%2d', $hour % 12 || 12)
            : $letter eq 'k' ? sprintf('%2d', $hour) : $letter eq 'p' ? ($hour < 12 ? 'AM' : 'PM')
            : $letter eq 'P' ? ($hour < 12 ? 'am' : 'pm') : $letter eq 'u' ? $weekday || 7 : $letter eq 'w' ? $weekday
            : $letter eq 'G' ? $iso_year : $letter eq 'g' ? $two->($iso_year % 100) : $letter eq 'V' ? $two->($iso_week)
            : $letter eq 'U' ? $two->(int(($yearday + 7 - $weekday) / 7))
            : $letter eq 'W' ? $two->(int(($yearday + 7 - ($weekday + 6) % 7) / 7))
            : $letter eq 's' ? mktime(@given[0 .. 5]) : $letter eq 'n' ? "\n" : $letter eq 't' ? "\t" : $letter eq '%' ? '%'
            : $letter eq 'Z' ? $zone->(1)
            : $letter eq 'z' ? do { my $o = $zone->(0); sprintf '%s%02d%02d', $o < 0 ? '-' : '+', CORE::abs($o) / 3600, CORE::abs($o) / 60 % 60 }
            : undef;
    };
    my %whole = (c => '%a %b %e %H:%M:%S %Y', D => '%m/%d/%y', F => '%Y-%m-%d', r => '%I:%M:%S %p', R => '%H:%M', T => '%H:%M:%S',
        x => '%m/%d/%y', X => '%H:%M:%S', h => '%b', '+' => '%a %b %e %H:%M:%S %Z %Y');
    $format =~ s/%[EO]?([cDFrRTxX+])/$whole{$1}/g;
    $format =~ s{%([-_0^#]?)(\d*)[EO]?([a-zA-Z%])}{
        my ($flag, $width, $text) = ($1, $2, $one->($3));
        if (!defined $text) { "%$flag$width$3" }
        else {
            $text =~ s/^[0 ]+(?=.)// if $flag eq '-';
            $text =~ s/^(0+)(?=.)/' ' x length $1/e if $flag eq '_';
            $text = CORE::uc $text if $flag eq '^';
            $text = '0' x ($width - length $text) . $text if $width ne '' && length $text < $width;
            $text;
        }
    }ge;
    return $format;
}

sub asctime { strftime("%a %b %e %H:%M:%S %Y\n", @_) }
sub ctime { asctime(CORE::GLOBAL::localtime($_[0])) }
sub difftime { $_[0] - $_[1] }
sub clock { int(1e6 * (Time::HiRes::clock() || 0)) }
sub tzset { 1 }
sub tzname { map { (WsgiWasm::zone($_))[1] } WsgiWasm::seasons() }

# --- the locale is C

sub setlocale { my ($category, $locale) = @_; !defined $locale || $locale =~ /^(?:|C|POSIX)\z/ ? 'C' : undef }
sub localeconv { return { decimal_point => '.' } }

# --- processes, files and the system

sub WIFEXITED { ($_[0] & 127) == 0 }
sub WEXITSTATUS { $_[0] >> 8 & 255 }
sub WIFSIGNALED { my $signal = $_[0] & 127; $signal != 0 && $signal != 127 }
sub WTERMSIG { $_[0] & 127 }
sub WIFSTOPPED { ($_[0] & 255) == 127 }
sub WSTOPSIG { $_[0] >> 8 & 255 }

sub _exit { STDOUT->flush; CORE::exit($_[0]) }
sub abort { CORE::exit(134) }
sub access { my ($file, $mode) = @_; -e $file ? '0 but true' : undef }
sub getcwd { require Cwd; Cwd::getcwd() }
sub isatty { '' }
sub ttyname { undef }
sub ctermid { '/dev/tty' }
sub cuserid { '' }
sub getpid { $$ }
sub getuid { $< }
sub geteuid { $> }
sub getgid { $( + 0 }
sub getegid { $) + 0 }
sub uname { ('Linux', 'localhost', '6.1', '#1', 'wasm32') }
sub nice { '0 but true' }
sub pause { WsgiWasm::rest(86400); undef }
sub times { my $used = 100 * (Time::HiRes::clock() || 0); (int(100 * Time::HiRes::time()), int $used, 0, 0, 0) }
sub sysconf { my %known = (0 => 131072, 1 => 1024, 2 => 100, 3 => 65536, 4 => 1024, 30 => 4096); $known{$_[0]} }
sub pathconf { my %known = (3 => 255, 4 => 4096); $known{$_[1]} }
sub mkfifo { $! = Errno::EPERM(); undef }
sub _refused { $! = Errno::EPERM(); undef }
sub dup { goto &_refused }
sub dup2 { my ($from, $to) = @_; $from == $to ? $to || '0 but true' : _refused() }
sub pipe { goto &_refused }
sub setsid { goto &_refused }
sub setpgid { goto &_refused }
sub setuid { goto &_refused }
sub setgid { goto &_refused }
sub tcgetpgrp { goto &_refused }
sub errno { $! + 0 }
sub open {
    my ($file, $flags, $mode) = @_;
    sysopen(my $handle, $file, $flags || 0, defined $mode ? $mode : 0666) or return undef;
    my $number = fileno $handle;
    $POSIX::_open{$number} = $handle;
    return $number || '0 but true';
}
sub close { my $handle = delete $POSIX::_open{$_[0]}; $handle ? CORE::close($handle) : undef }
sub write { my ($number, $data, $size) = @_; CORE::open(my $handle, '>&=', $number) or return undef; syswrite $handle, $data, defined $size ? $size : length $data }
sub read { CORE::open(my $handle, '<&=', $_[0]) or return undef; sysread $handle, $_[1], $_[2] }
sub lseek { my $handle = $POSIX::_open{$_[0]} or return undef; sysseek $handle, $_[1], $_[2] }
sub tmpnam { die "Unimplemented: POSIX::tmpnam(): use File::Temp instead" }

sub sigaction {
    my ($signal, $action, $old) = @_;
    my %names = reverse map { $_ => $groups{signal_h}{$_} } grep { /^SIG[A-Z]/ } keys %{ $groups{signal_h} };
    (my $name = $names{$signal} || return undef) =~ s/^SIG//;
    $old->{HANDLER} = $SIG{$name} if $old;
    $SIG{$name} = $action->{HANDLER} if $action;
    return '0 but true';
}
sub sigprocmask { '0 but true' }
sub sigpending { '0 but true' }
sub raise { kill $_[0], $$ }

{
    package POSIX::SigSet;
    sub new { my ($class, @signals) = @_; bless { map { $_ => 1 } @signals }, $class }
    sub addset { $_[0]{ $_[1] } = 1; '0 but true' }
    sub delset { delete $_[0]{ $_[1] }; '0 but true' }
    sub emptyset { %{ $_[0] } = (); '0 but true' }
    sub fillset { $_[0]{$_} = 1 for 1 .. 31; '0 but true' }
    sub ismember { $_[0]{ $_[1] } ? 1 : 0 }
    package POSIX::SigAction;
    sub new { my ($class, $handler, $mask, $flags) = @_; bless { HANDLER => $handler, MASK => $mask, FLAGS => $flags || 0, SAFE => 0 }, $class }
    sub handler { $_[0]{HANDLER} = $_[1] if @_ > 1; $_[0]{HANDLER} }
    sub mask { $_[0]{MASK} = $_[1] if @_ > 1; $_[0]{MASK} }
    sub flags { $_[0]{FLAGS} = $_[1] if @_ > 1; $_[0]{FLAGS} }
    sub safe { $_[0]{SAFE} = $_[1] if @_ > 1; $_[0]{SAFE} }
}

# --- names

# Perl's functions that POSIX gives under their own names: exporting them changes nothing.
my %builtin = (
    ctype_h => [], math_h => [qw(abs atan2 cos exp log sin sqrt)], stdlib_h => [qw(exit getenv system)],
    stdio_h => [qw(getc printf rename sprintf)], time_h => [qw(gmtime localtime time)], unistd_h => [qw(alarm chdir chown
    fork getlogin getppid link rmdir sleep unlink)], sys_stat_h => [qw(chmod mkdir stat umask)], dirent_h => [qw(opendir
    readdir rewinddir closedir)], signal_h => ['kill'], fcntl_h => [], sys_wait_h => [qw(wait waitpid)], utime_h => ['utime'],
);
my %functions = (
    math_h => [qw(acos asin atan ceil cosh fabs floor fmod frexp ldexp log10 modf pow sinh tan tanh)],
    math_h_c99 => [qw(cbrt copysign exp2 expm1 fmax fmin hypot isfinite isinf isnan log1p log2 lround remainder rint round
        signbit trunc)],
    stdlib_h => [qw(abort atof mblen strtod strtol strtoul strtold)],
    string_h => [qw(strcoll strerror strstr strxfrm)], stdio_h => [qw(perror)],
    time_h => [qw(asctime clock ctime difftime mktime strftime tzset tzname)],
    locale_h => [qw(localeconv setlocale)], errno_h => ['errno'],
    sys_wait_h => [qw(WEXITSTATUS WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG)],
    unistd_h => [qw(_exit access ctermid cuserid dup dup2 getcwd getegid geteuid getgid getpid getuid isatty lseek pathconf
        pause setgid setpgid setsid setuid sysconf tcgetpgrp ttyname)],
    ctype_h => [qw(tolower toupper)], signal_h => [qw(raise sigaction sigpending sigprocmask)], sys_stat_h => ['mkfifo'],
    sys_utsname_h => ['uname'], sys_times_h => [], fcntl_h => [],
);
{
    no strict 'refs';
    for my $name (qw(getenv)) { *{$name} = sub { $ENV{ $_[0] } } }
    my %wanted;
    for my $group (keys %groups, keys %functions) {
        next if $wanted{$group}++;
        $EXPORT_TAGS{$group} = [keys %{ $groups{$group} || {} }, @{ $functions{$group} || [] }];
    }
    my %seen;
    @EXPORT = grep { !$seen{$_}++ && !/^(?:dup|pipe|M_|FP_|tolower|toupper|getenv|L_)/ } map { @{ $EXPORT_TAGS{$_} } }
        grep { $_ ne 'math_h_c99' } keys %EXPORT_TAGS;
    push @EXPORT, qw(dup dup2);
    my @unimported = (qw(close open read write nice pipe times getenv lchown), map { @$_ } values %builtin);
    @EXPORT_OK = (@{ $EXPORT_TAGS{math_h_c99} }, grep({ /^(?:M_|FP_|L_)/ } keys %constants), @unimported);
    for my $name (map { @$_ } values %builtin) {
        next if defined &{"POSIX::$name"};
        # As natively, where `POSIX::printf` and others can be called by their full names too.
        eval "sub $name { " . _calls($name) . ' }';
    }
    $EXPORT_TAGS{$_} = [@{ $EXPORT_TAGS{$_} || [] }, @{ $builtin{$_} }] for keys %builtin;
}

sub _calls {
    my ($name) = @_;
    my %special = (
        printf => 'CORE::printf STDOUT @_', sprintf => 'my $f = CORE::shift; CORE::sprintf $f, @_', getenv => '$ENV{$_[0]}',
        system => 'WsgiWasm::run(@_)', time => 'CORE::time', gmtime => 'CORE::gmtime($_[0])', getc => 'CORE::getc($_[0])',
        localtime => 'CORE::GLOBAL::localtime($_[0])', exit => 'CORE::exit($_[0])', stat => 'CORE::stat($_[0])',
        unlink => 'CORE::unlink(@_)', chmod => 'CORE::GLOBAL::chmod(@_)', chown => 'CORE::GLOBAL::chown(@_)',
        utime => 'CORE::utime($_[1], $_[2], $_[0])', mkdir => 'CORE::mkdir($_[0], CORE::defined $_[1] ? $_[1] : 0777)',
        kill => 'CORE::GLOBAL::kill($_[1], $_[0])', opendir => 'CORE::opendir(my $d, $_[0]) ? $d : undef',
        rename => 'CORE::rename($_[0], $_[1])', link => 'CORE::link($_[0], $_[1])', atan2 => 'CORE::atan2($_[0], $_[1])',
        umask => 'CORE::GLOBAL::umask($_[0])', alarm => 'CORE::GLOBAL::alarm($_[0])', sleep => 'CORE::GLOBAL::sleep($_[0])',
        readdir => 'CORE::readdir($_[0])', rewinddir => 'CORE::rewinddir($_[0])', closedir => 'CORE::closedir($_[0])',
        fork => 'CORE::GLOBAL::fork()', wait => 'CORE::GLOBAL::wait()', waitpid => 'CORE::GLOBAL::waitpid($_[0], $_[1])',
        getlogin => 'CORE::undef', getppid => '1',
    );
    return $special{$name} || "CORE::$name(\$_[0])";
}

sub import {
    my ($class, @names) = @_;
    @names = map { /^[a-z]\w+_h\z/ ? ":$_" : $_ } @names;
    # A name of one of Perl's own functions stands for that function.
    my %own = map { $_ => 1 } map { @$_ } values %builtin;
    @names = grep { !$own{$_} } @names ? @names : @EXPORT;
    return unless @names;
    local $Exporter::ExportLevel = 1;
    my @plain = map { /^:(\w+)\z/ && $EXPORT_TAGS{$1} ? grep({ !$own{$_} } @{ $EXPORT_TAGS{$1} }) : $_ } @names;
    Exporter::import($class, @plain) if @plain;
}

1;

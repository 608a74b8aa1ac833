# What a system has and WASI does not: each function works through the host, or fails as on a system
# that refuses, and never dies as "unimplemented". Loaded before the snapshot, so that whatever is
# compiled later uses these.

use strict;
use warnings;

package WsgiWasm;

our $awake;    # not before the snapshot is taken

use Errno qw(EAGAIN EACCES EBADF ECHILD EINVAL EMFILE ENOENT ENOSYS EPERM ESRCH ENOTSUP EAFNOSUPPORT);
use Symbol ();

# --- the channel to the host: docs/channel.md

my ($REST, $START, $WRITE, $READ, $CLOSE, $WAIT, $RELEASE) = (0, 0x100 .. 0x104, 0x107);
my $FLOCK = 0x300;
my ($LINE, $INPUT) = (1, 2);

# Answer of an operation; undef and $! where it failed.
sub ask {
    my ($operation, $request) = @_;
    my ($error, $size, $answer) = asked($operation, "$request");
    if ($error) { $! = $error; return undef }
    while (length $answer < $size) {
        my ($failed, undef, $more) = asked($REST, pack 'V', length $answer);
        last if $failed || $more eq '';
        $answer .= $more;
    }
    return $answer;
}

# Error, size of the whole answer, and its beginning.
sub asked {
    my ($operation, $request) = @_;
    utf8::encode($request) unless utf8::downgrade($request, 1);
    my $answer = call($operation, $request);
    utf8::encode($answer);    # bytes that are taken for UTF-8
    return unpack 'VVa*', $answer;
}

# --- programs of the host

my %processes;    # by handle: [number, whether the script writes it, what it has written]

sub start {
    my ($flags, @words) = @_;
    my $line = @words == 1 && !ref $words[0];    # a reference is a program without arguments
    @words = map { ref ? $$_ : $_ } @words;
    my $request = $line ? pack('V', $flags | $LINE) . "$words[0]\0" : pack('V', $flags) . join '', map { "$_\0" } @words;
    my $answer = ask($START, $request);
    $! = ENOENT if !defined $answer && ($! == ENOSYS || $! == ENOTSUP);
    return defined $answer ? unpack 'V', $answer : undef;
}

sub output_of {
    my ($process) = @_;
    my $output = '';
    while (defined(my $piece = ask($READ, pack 'VV', $process, 65536))) {
        last if $piece eq '';
        $output .= $piece;
    }
    return $output;
}

sub wait_for {
    my $status = ask($WAIT, pack 'VC', $_[0], 0);
    ask($RELEASE, pack 'V', $_[0]);
    return $? = defined $status ? unpack 'V', $status : -1;
}

# As `system`; -1 where there is no such program.
sub run {
    my $process = start(0, @_);
    return $? = -1 unless defined $process;
    STDOUT->flush if STDOUT->can('flush');
    print STDOUT output_of($process);
    return wait_for($process);
}

sub finish {
    my ($handle) = @_;
    my $known = delete $processes{Scalar::Util::refaddr(*$handle{IO})} or return;
    my ($process, $writes, $written, $end, $status) = @$known;
    if (!$writes) {
        return unless defined $end;    # that handle is gone, and this one has its place
        $? = $status;
        return 1;
    }
    else {
        for (my $done = 0; $done < length $$written; $done += 65536) {
            defined ask($WRITE, pack('V', $process) . substr $$written, $done, 65536) or last;
        }
        ask($CLOSE, pack 'VC', $process, 0);
        print STDOUT output_of($process);
    }
    wait_for($process);
    return 1;
}

# A pipe: all of a program's output is read at once; what it is given, when the handle is closed.
sub open_pipe {
    my ($handle, $writes, @words) = @_;
    my $process = start($writes ? $INPUT : 0, @words);
    return undef unless defined $process;
    my $data = $writes ? '' : output_of($process);
    # What is read to its end is over, whether the script closes its handle or forgets it.
    my $status = $writes ? undef : do { local $?; wait_for($process); $? };
    CORE::open($handle, $writes ? '>' : '<', \$data) or return undef;
    my $known = $processes{Scalar::Util::refaddr(*$handle{IO})} = [$process, $writes, \$data, $handle, $status];
    Scalar::Util::weaken($known->[3] = *$handle{IO}) unless $writes;
    return $process + 1;
}

END { finish($_->[3]) for grep { $_->[1] } values %processes }

*CORE::GLOBAL::open = sub (*;$@) {
    my $handle = $_[0];
    if (!defined $handle) { $handle = $_[0] = Symbol::gensym() }
    elsif (!ref $handle && ref \$handle ne 'GLOB') { $handle = Symbol::qualify_to_ref($handle, scalar caller) }
    my (undef, $mode, @rest) = @_;
    return CORE::open($handle) if @_ == 1;
    if (@rest) {
        return forked() if $mode =~ /^\s*(?:-\||\|-)/ && !defined $rest[0];
        return open_pipe($handle, scalar($mode =~ /^\s*\|/), @rest) if $mode =~ /^\s*(?:-\||\|-)/;
        $mode =~ s/&(?!=)/&=/;    # one descriptor has to do for both
        return CORE::open($handle, $mode, $rest[0]);
    }
    return CORE::open($handle, $mode) unless $mode =~ /[|&]/;
    return forked() if $mode =~ /^\s*(?:\|\s*-|-\s*\|)\s*\z/;
    return open_pipe($handle, 1, $1) if $mode =~ /^\s*\|\s*(.*?)\s*\z/s;
    return open_pipe($handle, 0, $1) if $mode =~ /^\s*(.*?)\s*\|\s*\z/s;
    if ($mode =~ /^\s*(\+?[<>]{1,2})&=?\s*(\w[\w:']*)\s*\z/) {
        my ($how, $from) = ($1, $2);
        return CORE::open($handle, "$how&=", $from =~ /^\d+\z/ ? $from : Symbol::qualify_to_ref($from, scalar caller));
    }
    return CORE::open($handle, $mode);
};

*CORE::GLOBAL::close = sub (;*) {
    no warnings;    # whose place would be here
    return CORE::close(select) unless @_;
    my $handle = ref $_[0] || ref \$_[0] eq 'GLOB' ? $_[0] : Symbol::qualify_to_ref($_[0], scalar caller);
    if (%processes && defined *$handle{IO} && $processes{Scalar::Util::refaddr(*$handle{IO})}) {
        finish($handle);
        CORE::close($handle);
        return $? == 0;
    }
    return CORE::close($handle);
};

*CORE::GLOBAL::system = sub { run(@_) };
*CORE::GLOBAL::exec = sub { my $status = run(@_); CORE::exit($status >> 8) if $status != -1; return 0 };

# `exec { PROGRAM } NAME, ARGUMENTS`: never a line; the name is the program's.
sub exec_program(&@) { my ($program, undef, @words) = @_; return CORE::GLOBAL::exec(@words ? ($program->(), @words) : \scalar $program->()) }
sub system_program(&@) { my ($program, undef, @words) = @_; return run(@words ? ($program->(), @words) : \scalar $program->()) }

*CORE::GLOBAL::readpipe = sub (_) {
    my $process = start(0, $_[0]);
    if (!defined $process) { $? = -1; return wantarray ? () : undef }
    my $output = output_of($process);
    wait_for($process);
    return $output unless wantarray;
    CORE::open(my $lines, '<', \$output);
    return <$lines>;
};

# --- processes

sub forked { $! = EAGAIN; return undef }

*CORE::GLOBAL::fork = sub () { forked() };
*CORE::GLOBAL::wait = sub () { $! = ECHILD; -1 };
*CORE::GLOBAL::waitpid = sub ($$) { $! = ECHILD; -1 };
*CORE::GLOBAL::pipe = sub (**) { $! = EMFILE; undef };
*CORE::GLOBAL::getppid = sub () { 1 };
*CORE::GLOBAL::getpgrp = sub (;$) { $$ };
*CORE::GLOBAL::setpgrp = sub (;$$) { $! = EPERM; undef };
*CORE::GLOBAL::getpriority = sub ($$) { 0 };
*CORE::GLOBAL::setpriority = sub ($$$) { $! = EPERM; undef };
*CORE::GLOBAL::times = sub () { my $used = eval { Time::HiRes::clock() } || 0; wantarray ? ($used, 0, 0, 0) : $used };
*CORE::GLOBAL::chroot = sub (_) { $! = EPERM; undef };
*CORE::GLOBAL::syscall = sub ($@) { $! = ENOSYS; -1 };

# Signals come from the script alone: there is nobody else.
*CORE::GLOBAL::kill = sub (@) {
    my ($signal, @processes) = @_;
    my $sent = 0;
    for my $process (@processes) {
        if ($process != $$) { $! = ESRCH; next }
        $sent++;
        signal($signal) if $signal;
    }
    return $sent;
};

my %NUMBERS = (HUP => 1, INT => 2, QUIT => 3, ABRT => 6, KILL => 9, USR1 => 10, USR2 => 12, PIPE => 13, ALRM => 14,
    TERM => 15, CHLD => 17);

sub signal {
    my ($name) = @_;
    $name =~ s/^-?(?:SIG)?//;
    ($name) = grep { $NUMBERS{$_} == $name } keys %NUMBERS if $name =~ /^\d+\z/;
    my $handler = defined $name ? $SIG{$name} : undef;
    return if defined $handler && $handler eq 'IGNORE' || ($name || '') eq 'CHLD';
    if (!defined $handler || $handler eq '' || $handler eq 'DEFAULT') {
        print STDERR "Alarm clock\n" if ($name || '') eq 'ALRM';
        CORE::exit(128 + ($NUMBERS{$name || ''} || 0));
    }
    no strict 'refs';
    $handler = \&{ $handler =~ /::|'/ ? $handler : "main::$handler" } unless ref $handler;
    $handler->($name);
}

# --- alarm: it goes off where the script sleeps. What computes is ended by `timeout` of the route.

my $alarm;

sub due { defined $alarm ? $alarm - time : undef }

sub rest {
    my ($seconds) = @_;
    my $due = due();
    if (!defined $due || $due > $seconds) { CORE::select(undef, undef, undef, $seconds) ; return }
    CORE::select(undef, undef, undef, $due) if $due > 0;
    $alarm = undef;
    signal('ALRM');
}

*CORE::GLOBAL::alarm = sub (_) {
    my $left = due();
    $alarm = $_[0] > 0 ? time + $_[0] : undef;
    return defined $left && $left > 0 ? $left : 0;
};

*CORE::GLOBAL::sleep = sub (;$) {
    my $from = time;
    my $seconds = @_ ? $_[0] : defined due() ? due() : 86400;
    rest($seconds);
    return time - $from;
};

# --- users and groups: what /etc/passwd and /etc/group hold, where the route gives an /etc

sub table {
    my ($file) = @_;
    CORE::open(my $handle, '<', "/etc/$file") or return ();
    local $/ = "\n";
    my @lines = map { chomp; [split /:/, $_, -1] } grep { !/^\s*(?:#|\z)/ } <$handle>;
    CORE::close($handle);
    return @lines;
}

sub user {
    my ($field, $value, $scalar) = @_;
    my ($found) = grep { @$_ >= 7 && $_->[$field] eq $value } table('passwd') or return wantarray ? () : undef;
    return $found->[$scalar] unless wantarray;
    return (@$found[0 .. 3], '', '', @$found[4 .. 6]);
}

sub group {
    my ($field, $value, $scalar) = @_;
    my ($found) = grep { @$_ >= 4 && $_->[$field] eq $value } table('group') or return wantarray ? () : undef;
    return $found->[$scalar] unless wantarray;
    return (@$found[0 .. 2], join ' ', split /,/, $found->[3]);
}

*CORE::GLOBAL::getpwnam = sub ($) { user(0, $_[0], 2) };
*CORE::GLOBAL::getpwuid = sub ($) { user(2, $_[0], 0) };
*CORE::GLOBAL::getgrnam = sub ($) { group(0, $_[0], 2) };
*CORE::GLOBAL::getgrgid = sub ($) { group(2, $_[0], 0) };
my %at = (passwd => 0, group => 0);
*CORE::GLOBAL::getpwent = sub () { my $one = (table('passwd'))[$at{passwd}++]; $one ? user(0, $one->[0], 0) : () };
*CORE::GLOBAL::getgrent = sub () { my $one = (table('group'))[$at{group}++]; $one ? group(0, $one->[0], 0) : () };
*CORE::GLOBAL::setpwent = *CORE::GLOBAL::endpwent = sub () { $at{passwd} = 0; 1 };
*CORE::GLOBAL::setgrent = *CORE::GLOBAL::endgrent = sub () { $at{group} = 0; 1 };
*CORE::GLOBAL::getlogin = sub () { undef };

# --- files

my $umask = 022;
*CORE::GLOBAL::umask = sub (;$) { my $old = $umask; $umask = $_[0] & 0777 if defined $_[0]; $old };

# Files have no modes here, as on some file systems: who may do what is up to the host.
*CORE::GLOBAL::chmod = sub (@) { my (undef, @files) = @_; scalar grep { defined *$_{IO} || -e $_ } map { ref || !/\0/ ? $_ : () } @files };
*CORE::GLOBAL::chown = sub (@) { $! = EPERM; 0 };
*CORE::GLOBAL::fcntl = sub (*$$) { $! = EINVAL; undef };
*CORE::GLOBAL::ioctl = sub (*$$) { $! = EINVAL; undef };

# The host's own lock on that very file. As Perl does, what is written so far goes there first.
*CORE::GLOBAL::flock = sub (*$) {
    my ($name, $operation) = @_;
    my $handle = ref $name || ref \$name eq 'GLOB' ? $name : Symbol::qualify_to_ref($name, scalar caller);
    my $descriptor = CORE::fileno($handle);
    if (!defined $descriptor || $descriptor < 0) { $! = EBADF; return !1 }
    my $selected = CORE::select($handle);
    my $kept = $|;
    $| = 1;
    $| = $kept;
    CORE::select($selected);
    return defined ask($FLOCK, pack 'VV', $descriptor, $operation) ? 1 : !1;
};

# --- passwords

my $CRYPT = 0x702;
*CORE::GLOBAL::crypt = sub ($$) { ask($CRYPT, "$_[0]\0$_[1]\0") };

# --- networks

{
    my $none = sub { $! = EAFNOSUPPORT; undef };
    no strict 'refs';
    no warnings 'once';
    *CORE::GLOBAL::socket = sub (*$$$) { $none->() };
    *CORE::GLOBAL::socketpair = sub (**$$$) { $none->() };
    my %services = (http => 80, https => 443, smtp => 25, ftp => 21, ssh => 22, telnet => 23, domain => 53, pop3 => 110);
    my %protocols = (ip => 0, icmp => 1, tcp => 6, udp => 17);
    my $service = sub { my ($name, $port, $protocol) = @_; wantarray ? ($name, '', $port, $protocol || 'tcp') : $port };
    *CORE::GLOBAL::getservbyname = sub ($$) { my $port = $services{$_[0]} or return; $service->($_[0], $port, $_[1]) };
    *CORE::GLOBAL::getservbyport = sub ($$) {
        my ($name) = grep { $services{$_} == $_[0] } keys %services or return;
        wantarray ? $service->($name, $_[0], $_[1]) : $name;
    };
    *CORE::GLOBAL::getprotobyname = sub ($) {
        my $number = $protocols{$_[0]};
        return unless defined $number;
        wantarray ? ($_[0], uc $_[0], $number) : $number;
    };
    *CORE::GLOBAL::getprotobynumber = sub ($) {
        my ($name) = grep { $protocols{$_} == $_[0] } keys %protocols or return;
        wantarray ? ($name, uc $name, $_[0]) : $name;
    };
    for my $name (qw(gethostbyname getnetbyname)) { *{"CORE::GLOBAL::$name"} = sub ($) { return } }
    for my $name (qw(gethostbyaddr getnetbyaddr)) { *{"CORE::GLOBAL::$name"} = sub ($$) { return } }
    for my $name (qw(gethostent getnetent getprotoent getservent)) { *{"CORE::GLOBAL::$name"} = sub () { return } }
}

# --- local time: the host knows what TZ says of a moment, and for how long that holds

my $ZONE = 0x600;
my %spans;    # by TZ: [from, until, offset, name, summer]

# Offset in seconds and name of the zone at a time, and whether it is summer time there.
sub zone {
    my ($time) = @_;
    my $name = $ENV{TZ};
    return (0, 'UTC', 0) if !$awake || !defined $name || $name eq '';
    for my $span (@{ $spans{$name} }) { return @$span[2 .. 4] if $time >= $span->[0] && $time < $span->[1] }
    my $answer = ask($ZONE, pack 'Vq<Z*', 0, $time, $name);
    my ($from, $until, $offset, $summer, undef, $word)
        = defined $answer ? unpack('q<q<l<Vl<Z*', $answer) : (-9e15, 9e15, 0, 0, 0, 'UTC');
    unshift @{ $spans{$name} }, [$from, $until, $offset, $word, $summer];
    return ($offset, $word, $summer);
}

# Times of winter and of summer.
sub seasons { return (1_704_067_200, 1_719_792_000) }

*CORE::GLOBAL::localtime = sub (;$) {
    my $time = @_ ? $_[0] || 0 : time;
    my ($offset, undef, $summer) = zone($time);
    return scalar CORE::gmtime($time + $offset) unless wantarray;
    my @fields = CORE::gmtime($time + $offset);
    $fields[8] = $summer;
    return @fields;
};

# --- random numbers: Perl's own choice of a seed is a weak one here

*CORE::GLOBAL::srand = sub (;$) { my $seed = @_ ? $_[0] : random(); CORE::srand($seed); return $seed || '0 but true' };

1;

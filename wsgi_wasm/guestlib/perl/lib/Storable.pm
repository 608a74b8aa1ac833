package Storable;

# In place of the compiled module, in its own format: files that a native Perl on a 64-bit PC has
# stored can be read, and those that are stored here can be read there.

use strict;
use warnings;
use Exporter 'import';
use Carp ();
use Scalar::Util qw(blessed refaddr reftype);
use Fcntl qw(:flock);

our $VERSION = '3.37';
our @EXPORT = qw(store retrieve);
our @EXPORT_OK = qw(nstore store_fd nstore_fd fd_retrieve freeze nfreeze thaw dclone retrieve_fd lock_store lock_nstore
    lock_retrieve file_magic read_magic BLESS_OK TIE_OK FLAGS_COMPAT stack_depth stack_depth_hash);
our ($canonical, $forgive_me, $Deparse, $Eval, $flags) = (0, 0, 0, 0, 6);
sub BLESS_OK () { 2 }
sub TIE_OK () { 4 }
sub FLAGS_COMPAT () { 6 }
sub CAN_FLOCK () { 1 }

# As files are written: version 2.10, and the sizes of a 64-bit PC.
my $native = "\x04\x0a\x0812345678\x04\x08\x08\x08";
my $network = "\x05\x0a";

sub store { _to_file(0, @_) }
sub nstore { _to_file(1, @_) }
*lock_store = \&store;
*lock_nstore = \&nstore;

sub _to_file {
    my ($network_order, $self, $file) = @_;
    Carp::croak('not a reference') unless ref $self;
    open my $handle, '>', $file or Carp::croak("can't create $file: $!");
    binmode $handle;
    print $handle 'pst0', _frozen($network_order, $self);
    close $handle or Carp::croak("can't store $file: $!");
    return 1;
}

sub store_fd { my ($self, $handle) = @_; print $handle 'pst0', _frozen(0, $self); return 1 }
sub nstore_fd { my ($self, $handle) = @_; print $handle 'pst0', _frozen(1, $self); return 1 }
sub freeze { Carp::croak('not a reference') unless ref $_[0]; _frozen(0, $_[0]) }
sub nfreeze { Carp::croak('not a reference') unless ref $_[0]; _frozen(1, $_[0]) }

sub retrieve {
    my ($file) = @_;
    open my $handle, '<', $file or Carp::croak("can't open $file: $!");
    binmode $handle;
    my $found = fd_retrieve($handle);
    close $handle;
    return $found;
}
*lock_retrieve = \&retrieve;

sub fd_retrieve {
    my ($handle) = @_;
    my $data = do { local $/; <$handle> };
    $data = '' unless defined $data;
    Carp::croak('File is not a perl storable') unless $data =~ s/\Apst0//;
    return thaw($data);
}
*retrieve_fd = \&fd_retrieve;

sub thaw {
    my ($frozen) = @_;
    return _thawed(_opened($frozen));
}

# --- writing

sub _frozen {
    my ($network_order, $self) = @_;
    my $state = { network => $network_order, seen => {}, classes => {}, tag => 0 };
    my $out = $network_order ? $network : $native;
    _store($state, \$out, $self);
    return $out;
}

sub _length { my ($state, $number) = @_; pack $state->{network} ? 'N' : 'V', $number }

# What a reference leads to.
sub _store {
    my ($state, $out, $ref) = @_;
    my $address = refaddr $ref;
    if (defined(my $tag = $state->{seen}{$address})) { $$out .= "\0" . pack 'N', $tag; return }
    $state->{seen}{$address} = $state->{tag}++;
    push @{ $state->{kept} }, $ref;    # so that no other value takes its address
    if (defined(my $class = blessed $ref)) {
        if ($class eq 'Regexp') { return _store_regexp($state, $out, $ref) }
        return if $ref->can('STORABLE_freeze') && _hooked($state, $out, $ref, $class);
        if (defined(my $index = $state->{classes}{$class})) {
            $$out .= "\x12" . ($index <= 127 ? chr $index : "\x80" . _length($state, $index));
        }
        else {
            $state->{classes}{$class} = keys %{ $state->{classes} };
            $$out .= "\x11" . (length $class <= 127 ? chr length $class : "\x80" . _length($state, length $class)) . $class;
        }
    }
    my $type = reftype $ref;
    if ($type eq 'ARRAY') {
        $$out .= "\x02" . _length($state, scalar @$ref);
        _store($state, $out, \$_) for @$ref;
    }
    elsif ($type eq 'HASH') { _store_hash($state, $out, $ref) }
    elsif ($type eq 'CODE') { Carp::croak("Can't store CODE items") }
    elsif ($type =~ /^(?:REF|SCALAR|LVALUE|VSTRING)\z/) { _store_scalar($state, $out, $ref) }
    else { Carp::croak("Can't store $type items") }
}

sub _store_hash {
    my ($state, $out, $hash) = @_;
    my @keys = $canonical ? sort keys %$hash : keys %$hash;
    my $flagged = grep { utf8::is_utf8($_) } @keys;
    $$out .= ($flagged ? "\x19\0" : "\x03") . _length($state, scalar @keys);
    for my $key (@keys) {
        _store($state, $out, \$hash->{$key});
        if ($flagged) { $$out .= utf8::is_utf8($key) ? "\1" : "\0" }
        my $bytes = $key;
        utf8::encode($bytes) if utf8::is_utf8($bytes);
        $$out .= _length($state, length $bytes) . $bytes;
    }
}

sub _store_scalar {
    my ($state, $out, $ref) = @_;
    if (ref $$ref) {
        my $class = blessed $$ref;
        $$out .= defined $class && overload::Overloaded($$ref) ? "\x14" : "\x04";
        return _store($state, $out, $$ref);
    }
    my $value = $$ref;
    if (!defined $value) { $$out .= "\x05"; return }
    no warnings 'numeric';
    if (_is_number($value)) {
        if ($value == int $value && CORE::abs($value) < 9e15) {
            if ($value >= -128 && $value <= 127) { $$out .= "\x08" . chr $value + 128 }
            elsif ($state->{network} || CORE::abs($value) < 2**31) {
                if (CORE::abs($value) < 2**31) { $$out .= "\x09" . pack 'N', $value & 0xffffffff }
                else { $$out .= "\x0a" . chr(length $value) . $value }
            }
            else { $$out .= "\x06" . pack 'q<', $value }
            return;
        }
        if (!$state->{network}) { $$out .= "\x07" . pack 'd<', $value; return }
    }
    my $wide = utf8::is_utf8($value);
    utf8::encode($value) if $wide;
    $$out .= length $value <= 255 ? ($wide ? "\x17" : "\x0a") . chr length $value
        : ($wide ? "\x18" : "\x01") . _length($state, length $value);
    $$out .= $value;
}

# Whether a scalar is a number and was never text.
sub _is_number {
    no warnings 'numeric';
    return 0 if utf8::is_utf8($_[0]);
    my $none = $_[0] ^ $_[0];
    return $none eq '0' && length $none == 1 && $_[0] ne '';
}

sub _store_regexp {
    my ($state, $out, $ref) = @_;
    my ($pattern, $flags) = re::regexp_pattern($ref);
    $$out .= "\x11\x06Regexp" . "\x20" . (length $pattern < 256 ? "\0" . chr length $pattern : "\1" . _length($state, length $pattern));
    $$out .= $pattern . chr(length $flags) . $flags;
    $state->{classes}{Regexp} = keys %{ $state->{classes} } unless defined $state->{classes}{Regexp};
}

sub _hooked { return 0 }    # objects are stored as they are

# --- reading

sub _opened {
    my ($data) = @_;
    my ($major, $minor) = unpack 'CC', $data;
    Carp::croak('Storable binary image is not understood') unless defined $minor && $major >> 1 == 2;
    my %state = (data => \$data, network => $major & 1, at => 2, seen => [], classes => []);
    if (!$state{network}) {
        my $size = ord substr $data, 2, 1;
        my $order = substr $data, 3, $size;
        Carp::croak('Byte order is not compatible') unless $order =~ /^1234/;
        @state{qw(int long)} = (4, ord substr $data, 4 + $size, 1);
        $state{iv} = length $order;
        $state{at} = 3 + $size + 4;
    }
    return \%state;
}

sub _take {
    my ($state, $size) = @_;
    my $piece = substr ${ $state->{data} }, $state->{at}, $size;
    Carp::croak('Storable image ends too early') if length $piece != $size;
    $state->{at} += $size;
    return $piece;
}

sub _count { my ($state) = @_; unpack $state->{network} ? 'N' : 'V', _take($state, 4) }

# A reference to the next value.
sub _thawed {
    my ($state, $class) = @_;
    my $type = ord _take($state, 1);
    return $state->{seen}[unpack 'N', _take($state, 4)] if $type == 0;
    if ($type == 17) {
        my $size = ord _take($state, 1);
        $size = _count($state) if $size & 128;
        push @{ $state->{classes} }, my $name = _take($state, $size);
        return _thawed($state, $name);
    }
    if ($type == 18) {
        my $index = ord _take($state, 1);
        $index = _count($state) if $index & 128;
        return _thawed($state, $state->{classes}[$index]);
    }
    my $value;
    my $seen = sub {
        my ($ref) = @_;
        if (defined $class) { _load($class); bless $ref, $class }
        push @{ $state->{seen} }, $ref;
        return $ref;
    };
    if ($type == 2) {
        my $array = $seen->([]);
        my $count = _count($state);
        for my $number (0 .. $count - 1) { my $item = _thawed($state); $array->[$number] = $$item if defined $item }
        return $array;
    }
    if ($type == 3 || $type == 25) {
        _take($state, 1) if $type == 25;
        my $hash = $seen->({});
        for (1 .. _count($state)) {
            my $item = _thawed($state);
            my $flag = $type == 25 ? ord _take($state, 1) : 0;
            my $key = _take($state, _count($state));
            utf8::decode($key) if $flag & 1;
            $hash->{$key} = $$item;
        }
        return $hash;
    }
    if ($type == 4 || $type == 20 || $type == 27 || $type == 28) {
        my $ref = $seen->(\$value);
        $value = _thawed($state);
        return $ref;
    }
    if ($type == 32) {
        my $wide = ord _take($state, 1);
        my $pattern = _take($state, $wide & 1 ? _count($state) : ord _take($state, 1));
        my $flags = _take($state, ord _take($state, 1));
        my $found = eval { my $text = $flags =~ /\w/ ? "(?$flags:$pattern)" : $pattern; qr/$text/ };
        push @{ $state->{seen} }, $found;
        return $found;
    }
    my $ref = $seen->(\$value);
    if ($type == 5 || $type == 14 || $type == 31) { $value = undef }
    elsif ($type == 6) { $value = $state->{iv} && $state->{iv} == 4 ? unpack 'l<', _take($state, 4) : unpack 'q<', _take($state, 8) }
    elsif ($type == 7) { $value = unpack 'd<', _take($state, 8) }
    elsif ($type == 8) { $value = ord(_take($state, 1)) - 128 }
    elsif ($type == 9) { $value = unpack 'l', pack 'L', unpack 'N', _take($state, 4) }
    elsif ($type == 10) { $value = _take($state, ord _take($state, 1)) }
    elsif ($type == 1) { $value = _take($state, _count($state)) }
    elsif ($type == 23) { $value = _take($state, ord _take($state, 1)); utf8::decode($value) }
    elsif ($type == 24) { $value = _take($state, _count($state)); utf8::decode($value) }
    elsif ($type == 15 || $type == 34) { $value = !!1 }
    elsif ($type == 16 || $type == 35) { $value = !!0 }
    else { Carp::croak("Storable: items of type $type cannot be read here") }
    return $ref;
}

sub _load {
    my ($class) = @_;
    no strict 'refs';
    return if %{"${class}::"} || $class !~ /^\w+(?:::\w+)*\z/;
    (my $file = "$class.pm") =~ s{::}{/}g;
    eval { require $file };
}

# --- copying

sub dclone {
    my ($self) = @_;
    return $self unless ref $self;
    my %copies;
    my $copy;
    $copy = sub {
        my ($ref) = @_;
        my $known = $copies{ refaddr $ref };
        return $known if defined $known;
        my ($type, $class) = (reftype $ref, blessed $ref);
        my $made;
        if ($type eq 'ARRAY') {
            $made = $copies{ refaddr $ref } = [];
            @$made = map { ref $_ ? $copy->($_) : $_ } @$ref;
        }
        elsif ($type eq 'HASH') {
            $made = $copies{ refaddr $ref } = {};
            $made->{$_} = ref $ref->{$_} ? $copy->($ref->{$_}) : $ref->{$_} for keys %$ref;
        }
        elsif ($type eq 'REGEXP') { return $ref }
        elsif ($type =~ /^(?:REF|SCALAR|LVALUE|VSTRING)\z/) {
            my $value;
            $made = $copies{ refaddr $ref } = \$value;
            $value = ref $$ref ? $copy->($$ref) : $$ref;
        }
        else { Carp::croak("Can't store $type items") }
        return defined $class ? bless $made, $class : $made;
    };
    my $made = $copy->($self);
    undef $copy;
    return $made;
}

sub file_magic { undef }
sub read_magic { undef }
sub stack_depth { }
sub stack_depth_hash { }

1;

package Socket;

# The constants and the packing of addresses. There are no sockets: `socket` fails with EAFNOSUPPORT.

use strict;
use warnings;
use Exporter 'import';

our $VERSION = '2.038';
our (@EXPORT, @EXPORT_OK, %EXPORT_TAGS);

BEGIN {
    my %constants = (
        AF_UNSPEC => 0, AF_UNIX => 1, AF_INET => 2, AF_INET6 => 10, PF_UNSPEC => 0, PF_UNIX => 1, PF_INET => 2,
        PF_INET6 => 10, SOCK_STREAM => 1, SOCK_DGRAM => 2, SOCK_RAW => 3, SOCK_NONBLOCK => 2048, SOCK_CLOEXEC => 524288,
        SOL_SOCKET => 1, SO_DEBUG => 1, SO_REUSEADDR => 2, SO_TYPE => 3, SO_ERROR => 4, SO_DONTROUTE => 5,
        SO_BROADCAST => 6, SO_SNDBUF => 7, SO_RCVBUF => 8, SO_KEEPALIVE => 9, SO_OOBINLINE => 10, SO_LINGER => 13,
        SO_REUSEPORT => 15, SO_RCVTIMEO => 20, SO_SNDTIMEO => 21, SO_ACCEPTCONN => 30, SO_PROTOCOL => 38, SOMAXCONN => 4096,
        MSG_OOB => 1, MSG_PEEK => 2, MSG_DONTROUTE => 4, MSG_WAITALL => 256, MSG_DONTWAIT => 64, MSG_NOSIGNAL => 16384,
        SHUT_RD => 0, SHUT_WR => 1, SHUT_RDWR => 2, IPPROTO_IP => 0, IPPROTO_ICMP => 1, IPPROTO_TCP => 6,
        IPPROTO_UDP => 17, IPPROTO_IPV6 => 41, TCP_NODELAY => 1, TCP_KEEPIDLE => 4, TCP_KEEPINTVL => 5, TCP_KEEPCNT => 6,
        IPV6_V6ONLY => 26, AI_PASSIVE => 1, AI_CANONNAME => 2, AI_NUMERICHOST => 4, AI_ADDRCONFIG => 32,
        AI_NUMERICSERV => 1024, NI_NUMERICHOST => 1, NI_NUMERICSERV => 2, NI_DGRAM => 16, NIx_NOHOST => 1, NIx_NOSERV => 2,
        EAI_NONAME => -2, EAI_AGAIN => -3, EAI_FAIL => -4, EAI_FAMILY => -6, EAI_SOCKTYPE => -7, EAI_SERVICE => -8,
        INADDR_ANY => "\0\0\0\0", INADDR_LOOPBACK => "\x7f\0\0\1", INADDR_NONE => "\xff\xff\xff\xff",
        INADDR_BROADCAST => "\xff\xff\xff\xff", IN6ADDR_ANY => "\0" x 16, IN6ADDR_LOOPBACK => "\0" x 15 . "\1",
    );
    no strict 'refs';
    for my $name (keys %constants) { my $value = $constants{$name}; *{$name} = sub () { $value } }
    my @more = qw(inet_pton inet_ntop getaddrinfo getnameinfo pack_sockaddr_in6 unpack_sockaddr_in6 sockaddr_in6
        sockaddr_family CR LF CRLF $CR $LF $CRLF);
    my @functions = qw(inet_aton inet_ntoa pack_sockaddr_in unpack_sockaddr_in sockaddr_in pack_sockaddr_un
        unpack_sockaddr_un sockaddr_un sockaddr_family);
    my @optional = grep { /^(?:AI|NI|NIx|EAI|IPPROTO|TCP|IPV6|IN6|SOCK_NON|SOCK_CLO)/ } keys %constants;
    my %optional = map { $_ => 1 } @optional;
    @EXPORT = (@functions, grep { !$optional{$_} } keys %constants);
    @EXPORT_OK = (@more, @optional);
    %EXPORT_TAGS = (crlf => [qw(CR LF CRLF $CR $LF $CRLF)], addrinfo => [grep { /^(?:AI|NI|NIx|EAI)_|info$/ } @EXPORT_OK],
        all => [@EXPORT, @EXPORT_OK]);
}

our ($CR, $LF, $CRLF) = ("\015", "\012", "\015\012");
sub CR () { "\015" }
sub LF () { "\012" }
sub CRLF () { "\015\012" }

sub inet_aton {
    my ($host) = @_;
    return INADDR_LOOPBACK() if $host eq 'localhost';
    my @parts = $host =~ /^(\d+)\.(\d+)\.(\d+)\.(\d+)\z/ or return undef;
    return undef if grep { $_ > 255 } @parts;
    return pack 'C4', @parts;
}

sub inet_ntoa { join '.', unpack 'C4', $_[0] }
sub sockaddr_family { unpack 'S', $_[0] }
sub pack_sockaddr_in { pack 'Sna4x8', AF_INET(), $_[0], defined $_[1] ? $_[1] : INADDR_ANY() }
sub unpack_sockaddr_in { my (undef, $port, $address) = unpack 'Sna4', $_[0]; wantarray ? ($port, $address) : $address }
sub sockaddr_in { @_ == 1 ? unpack_sockaddr_in(@_) : pack_sockaddr_in(@_) }
sub pack_sockaddr_in6 { pack 'SnNa16L', AF_INET6(), $_[0], $_[3] || 0, $_[1], $_[2] || 0 }
sub unpack_sockaddr_in6 { my (undef, $port, $flow, $address, $scope) = unpack 'SnNa16L', $_[0]; ($port, $address, $scope, $flow) }
sub sockaddr_in6 { @_ == 1 ? unpack_sockaddr_in6(@_) : pack_sockaddr_in6(@_) }
sub pack_sockaddr_un { pack 'Sa108', AF_UNIX(), $_[0] }
sub unpack_sockaddr_un { (unpack 'SZ108', $_[0])[1] }
sub sockaddr_un { wantarray ? unpack_sockaddr_un(@_) : pack_sockaddr_un(@_) }

sub inet_ntop {
    my ($family, $address) = @_;
    return inet_ntoa($address) if $family == AF_INET();
    my $text = join ':', map { sprintf '%x', $_ } unpack 'n8', $address;
    my ($longest) = sort { length $b <=> length $a } $text =~ /((?:^|:)0(?::0)+(?=:|\z))/g;
    $text =~ s/\Q$longest\E(?=:|\z)/::/, $text =~ s/:{3,}/::/ if defined $longest;
    return $text;
}

sub inet_pton {
    my ($family, $text) = @_;
    return $text eq 'localhost' ? undef : inet_aton($text) if $family == AF_INET();
    $text =~ s/(\d+)\.(\d+)\.(\d+)\.(\d+)\z/sprintf '%x:%x', $1 << 8 | $2, $3 << 8 | $4/e;
    return undef if $text =~ /[^0-9A-Fa-f:]|:::|::.*::/;
    my ($head, $tail) = split /::/, $text, 2;
    my @head = split /:/, defined $head ? $head : '';
    my @tail = split /:/, defined $tail ? $tail : '';
    my $missing = 8 - @head - @tail;
    return undef if $missing < 0 || ($text !~ /::/ && $missing) || grep { length > 4 || $_ eq '' } @head, @tail;
    return pack 'n8', map { hex } @head, (0) x $missing, @tail;
}

sub getaddrinfo {
    my ($host, $service, $hints) = @_;
    my $address = defined $host && $host ne '' ? inet_aton($host) : INADDR_LOOPBACK();
    require Scalar::Util;
    return Scalar::Util::dualvar(EAI_AGAIN(), 'Temporary failure in name resolution') unless defined $address;
    my $port = defined $service ? $service =~ /^\d+\z/ ? $service : scalar getservbyname($service, 'tcp') || 0 : 0;
    my $type = $hints && $hints->{socktype} || SOCK_STREAM();
    return (Scalar::Util::dualvar(0, ''), { family => AF_INET(), socktype => $type, protocol => IPPROTO_TCP(),
        addr => pack_sockaddr_in($port, $address), canonname => undef });
}

sub getnameinfo {
    my ($address) = @_;
    my ($port, $host) = unpack_sockaddr_in($address);
    require Scalar::Util;
    return (Scalar::Util::dualvar(0, ''), inet_ntoa($host), $port);
}

1;

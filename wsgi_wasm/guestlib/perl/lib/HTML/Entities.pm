package HTML::Entities;

# In place of the module of HTML::Parser, which is compiled: the same functions for the characters
# that have names in HTML 4.

use strict;
use warnings;
use Exporter 'import';

our $VERSION = '3.81';
our @EXPORT = qw(encode_entities decode_entities _decode_entities);
our @EXPORT_OK = qw(%entity2char %char2entity encode_entities_numeric);

our %entity2char = (amp => '&', gt => '>', lt => '<', quot => '"', apos => "'");
{
    my $number = 160;
    $entity2char{$_} = chr $number++
        for qw(
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro
        para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil
        Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave
        Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml
        igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute
        thorn yuml
        );
    my %others = (
        OElig => 338, oelig => 339, Scaron => 352, scaron => 353, Yuml => 376, fnof => 402, circ => 710, tilde => 732,
        Alpha => 913, Beta => 914, Gamma => 915, Delta => 916, Epsilon => 917, Zeta => 918, Eta => 919, Theta => 920,
        Iota => 921, Kappa => 922, Lambda => 923, Mu => 924, Nu => 925, Xi => 926, Omicron => 927, Pi => 928, Rho => 929,
        Sigma => 931, Tau => 932, Upsilon => 933, Phi => 934, Chi => 935, Psi => 936, Omega => 937, alpha => 945,
        beta => 946, gamma => 947, delta => 948, epsilon => 949, zeta => 950, eta => 951, theta => 952, iota => 953,
        kappa => 954, lambda => 955, mu => 956, nu => 957, xi => 958, omicron => 959, pi => 960, rho => 961, sigmaf => 962,
        sigma => 963, tau => 964, upsilon => 965, phi => 966, chi => 967, psi => 968, omega => 969, ensp => 8194,
        emsp => 8195, thinsp => 8201, zwnj => 8204, zwj => 8205, lrm => 8206, rlm => 8207, ndash => 8211, mdash => 8212,
        lsquo => 8216, rsquo => 8217, sbquo => 8218, ldquo => 8220, rdquo => 8221, bdquo => 8222, dagger => 8224,
        Dagger => 8225, bull => 8226, hellip => 8230, permil => 8240, prime => 8242, Prime => 8243, lsaquo => 8249,
        rsaquo => 8250, oline => 8254, frasl => 8260, euro => 8364, trade => 8482, larr => 8592, uarr => 8593,
        rarr => 8594, darr => 8595, harr => 8596, minus => 8722, infin => 8734, ne => 8800, le => 8804, ge => 8805,
    );
    $entity2char{$_} = chr $others{$_} for keys %others;
}

our %char2entity = map { $entity2char{$_} => "&$_;" } grep { $_ ne 'apos' } keys %entity2char;
$char2entity{"'"} = '&#39;';

my %classes;

sub num_entity { sprintf '&#x%X;', ord $_[0] }

sub _encode {
    my ($text, $unsafe, $code) = @_;
    return undef unless defined $text;
    my $pattern = '[^\n\r\t !\#\$%\(-;=?-~]';
    if (defined $unsafe) {
        if (ref $unsafe eq 'Regexp') { $pattern = $unsafe }
        else { (my $class = $unsafe) =~ s{(?<!\\)/}{\\/}g; $pattern = "[$class]" }
    }
    my $compiled = $classes{$pattern} ||= qr/($pattern)/;
    $$text =~ s/$compiled/$code->($1)/ge;
    return $$text;
}

sub encode_entities {
    return undef unless defined $_[0];
    my $named = sub { $char2entity{$_[0]} || num_entity($_[0]) };
    if (defined wantarray) { my $copy = $_[0]; return _encode(\$copy, $_[1], $named) }
    return _encode(\$_[0], $_[1], $named);
}

sub encode_entities_numeric {
    return undef unless defined $_[0];
    if (defined wantarray) { my $copy = $_[0]; return _encode(\$copy, $_[1], \&num_entity) }
    return _encode(\$_[0], $_[1], \&num_entity);
}

sub decode_entities {
    my @texts = defined wantarray ? @_ : ();
    for (defined wantarray ? @texts : @_) { _decode_entities($_, \%entity2char) if defined }
    return wantarray ? @texts : $texts[0];
}

sub _decode_entities {
    my (undef, $names, $prefixes) = @_;
    my $number = sub { my $n = shift; $n > 0x10FFFF || $n >= 0xD800 && $n <= 0xDFFF ? chr 0xFFFD : chr $n };
    $_[0] =~ s/&\#(\d+);?/$number->($1)/ge;
    $_[0] =~ s/&\#[xX]([0-9a-fA-F]+);?/$number->(hex $1)/ge;
    $_[0] =~ s/(&(\w+);?)/exists $names->{$2} ? $names->{$2} : exists $names->{"$2;"} ? $names->{"$2;"} : $1/ge if $names;
    return;
}

*encode = \&encode_entities;
*decode = \&decode_entities;
*encode_numerically = *encode_numeric = \&encode_entities_numeric;

1;

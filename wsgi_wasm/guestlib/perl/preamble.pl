# What stands between a snapshot of Perl and a script. It is run once, before the snapshot is taken.
# Then, for each request, `given` takes environment and arguments, and the main program is
#
#     WsgiWasm::begin(); do 'WsgiWasm/script'; WsgiWasm::end()
#
# of which the script sees nothing: its first statement is `WsgiWasm::enter`, which makes the frame of
# `do` invisible. From there on Perl itself does what it does for a main program: `exit`, `die`, END
# blocks, objects that are left, and what is still in buffers.

use strict;
use warnings;

package WsgiWasm;

# The last of all END blocks. To look for objects that have to be destroyed takes as long as a short
# script, so it is left out where there can be none: the script and what it has loaded name no DESTROY.
our ($objects, $loaded, $entered) = (1, 0, 0);
END { leave($?) if $entered && !$objects && keys %INC == $loaded }

my $SITE;

BEGIN { $SITE = '/usr/lib/perl/library' }    # where a route has the site's own modules

use lib '/wsgi_wasm/lib';
do '/wsgi_wasm/system.pl' or die $@ || $!;
load();

our ($file, $prefix, $text, $at_end, $grown);

# The environment of the request, an empty text, and the arguments: interpreter, options, script.
sub given {
    my @given = @ARGV;
    my %environment;
    while (defined(my $pair = shift @given)) {
        last if $pair eq '';
        my ($name, $value) = split /=/, $pair, 2;
        $environment{$name} = $value;
    }
    shift @given;
    %ENV = %environment;
    wake();
    my @options;
    push @options, shift @given while @given && $given[0] =~ /^-./;
    $file = @given ? shift @given : '';
    @ARGV = @given;
    $0 = $file;
    (my $folder = $file) =~ s{/[^/]*\z}{};
    chdir($folder eq '' ? '/' : $folder);
    unshift @INC, \&instead, grep { $_ ne '' } split /:/, $ENV{PERL5LIB} if defined $ENV{PERL5LIB};
    push @INC, '.';    # scripts of the nineties look for what lies beside them
}

# What a snapshot would have in common with every other request.
sub wake {
    our $awake = 1;
    $^T = time;
    CORE::srand(random());
    $$ = 2 + random() % 4194302;
}

# Reads the script and makes it what `do 'WsgiWasm/script'` finds.
sub begin {
    fail("there is no script to run; in `args`, {script} stands for the script\n", 2) if $file eq '';
    open my $handle, '<', $file or fail("Can't open perl script \"$file\": $!\n", 2);
    { local $/; $text = <$handle> }
    close $handle;
    $text = '' unless defined $text;
    my $line = 1;
    my $mark = $text =~ s/\A\xEF\xBB\xBF// ? 3 : 0;    # its length
    my ($options) = $text =~ /\A#!.*?perl[0-9.]*([ \t].*)?$/m;
    my $code = '';
    $code = options($options, \$line) if defined $options;
    # Where `__END__` stands, the rest is read through main::DATA, in a main program only.
    $objects = 1 if $text =~ /DESTROY|AUTOLOAD/;
    $loaded = keys %INC;
    $at_end = $text =~ /^__END__[ \t]*\r?\n/m && $text !~ /^__DATA__[ \t]*\r?\n/m ? $mark + $+[0] : undef;
    # `exec { PROGRAM } LIST` has a syntax that no function in its place can have.
    $grown = -length $text;
    my $marker = $text =~ /^__(?:END|DATA)__[ \t]*\r?$/m ? $-[0] : length $text;
    substr($text, 0, $marker) =~ s/(?<![\w\$\@%&>:])(?<!sub )(exec|system)(?=\s*\{\s*["'\$])/WsgiWasm::${1}_program /g;
    $grown += length $text;
    (my $name = $file) =~ s/["\n]/_/g;
    $prefix = "${code}WsgiWasm::entered();WsgiWasm::enter();\n#line $line \"$name\"\n";
    unshift @INC, sub {
        my (undef, $wanted) = @_;
        return unless $wanted eq 'WsgiWasm/script';
        shift @INC;
        open my $source, '<', \($prefix . $text);
        return $source;
    };
}

our %library;    # sources of modules, by what `require` asks for; the files are gone after the snapshot
our %instead;    # those of `lib`: what they stand for has compiled parts, which cannot be loaded

# What every script finds loaded.
sub load {
    require $_
        for qw(
        strict.pm warnings.pm vars.pm lib.pm utf8.pm bytes.pm integer.pm constant.pm base.pm parent.pm overload.pm
        Carp.pm Config.pm Cwd.pm Data/Dumper.pm Digest/MD5.pm Errno.pm Exporter.pm Exporter/Heavy.pm Fcntl.pm
        File/Basename.pm File/Spec.pm File/Spec/Functions.pm FileHandle.pm Getopt/Long.pm IO/File.pm IO/Handle.pm
        List/Util.pm mro.pm MIME/Base64.pm PerlIO.pm PerlIO/scalar.pm Scalar/Util.pm Symbol.pm Text/ParseWords.pm
        Time/HiRes.pm Time/Local.pm Encode.pm POSIX.pm Socket.pm Storable.pm
        );
    my @own = grep { !m{^/wsgi_wasm/} } @INC;
    @INC = (@own, \&from_library);
    gather('/wsgi_wasm/lib', '');
    %instead = %library;
    gather('/wsgi_wasm/modules', '');
    $ENV{DBI_PUREPERL} = 2;    # there is no compiled part
    preload(qw(CGI CGI::Cookie CGI::Util CGI::File::Temp HTML::Entities DBI DBD::WsgiWasm));
    @INC = ($SITE, @own, \&from_library);
    CORE::open(my $asked, '<', '/wsgi_wasm/preload') or die "preload: $!";
    chomp(my @asked = <$asked>);
    preload(@asked);
    @INC = (@own, \&from_library);
    return if @asked;
    $objects = 0;
    no warnings 'redefine';
    for my $name (qw(new newdir)) {
        no strict 'refs';
        my $own = \&{"File::Temp::$name"};
        *{"File::Temp::$name"} = sub { $objects = 1; goto &$own };
    }
}

our %preloaded;    # modules that are in the snapshot, where a site may have its own of that name

# What is loaded here stays so, but a script that asks for it finds it where it would find the file.
sub preload {
    my %before = %INC;
    for my $module (@_) {
        (my $file = "$module.pm") =~ s{::}{/}g;
        require $file;
    }
    for my $file (grep { !exists $before{$_} } keys %INC) {
        next if $INC{$file} =~ m{^/zeroperl/};
        next if $INC{$file} =~ m{^\Q$SITE\E/};    # this is the site's own
        delete $INC{$file};
        $preloaded{$file} = 1;
    }
}

sub gather {
    my ($root, $folder) = @_;
    opendir my $listing, "$root/$folder" or return;
    for my $name (grep { !/^\./ } readdir $listing) {
        my $path = $folder eq '' ? $name : "$folder/$name";
        if (-d "$root/$path") { gather($root, $path); next }
        next if $path !~ /\.(?:pm|pl|al|ix)\z/ || defined $library{$path} || grep { !ref && -e "$_/$path" } @INC;
        CORE::open(my $handle, '<', "$root/$path") or die "$path: $!";
        local $/;
        my $source = <$handle>;
        # Since Perl 5.38 a handler of __DIE__ may be called within itself, and this would be.
        $source =~ s/^sub realdie \{ CORE::die/sub realdie { local \$SIG{__DIE__}; CORE::die/m if $path eq 'CGI/Carp.pm';
        $library{$path} = "#line 1 \"/usr/share/perl5/$path\"\n$source";
    }
}

sub instead { return $instead{$_[1]} ? &from_library : () }

sub from_library {
    my (undef, $name) = @_;
    my $source = '1;';
    my $text = $preloaded{$name} ? \$source : \$library{$name};
    $loaded++ if $preloaded{$name} && !exists $INC{$name};
    return unless defined $$text;
    CORE::open(my $handle, '<', $text);
    $INC{$name} = "/usr/share/perl5/$name";
    return $handle;
}

# What the options of a `#!` line ask for, as code before the script's own.
sub options {
    my ($options, $line) = @_;
    my $code = '';
    my @words = grep { $_ ne '' } split /\s+/, $options;
    while (defined(my $word = shift @words)) {
        last unless $word =~ s/^-//;
        while ($word =~ s/^(.)//) {
            my $option = $1;
            if ($option eq 'w' || $option eq 'W') { $code .= 'BEGIN{$^W=1}' }
            elsif ($option eq 'X') { $code .= 'BEGIN{$^W=0}' }
            elsif ($option eq 'l') { $code .= 'BEGIN{$\="\n"}'; $word =~ s/^[0-7]*// }
            elsif ($option eq 's') { switches() }
            elsif ($option eq 'I') {
                my $folder = $word ne '' ? $word : shift @words;
                unshift @INC, $folder if defined $folder;
                $word = '';
            }
            elsif ($option =~ /[mM]/) {
                my ($no, $module, $equals, $list) = ($word ne '' ? $word : shift @words) =~ /^(-?)([\w:]+)(=?)(.*)/;
                my $names = $equals ? "split(/,/,q\0$list\0)" : $option eq 'm' ? '()' : '';
                $code .= ($no ? 'no' : 'use') . " $module $names;" if defined $module;
                $word = '';
            }
            elsif ($option =~ /[0CDFdiEe]/) { $word = '' }    # with a value; none of these is for CGI
            # -T and -t: nothing is tainted here. -u, -U, -c, -n, -p, -a, -v: not for CGI either.
        }
    }
    return $code;
}

# `-s`: switches among the arguments become variables.
sub switches {
    no strict 'refs';
    while (@ARGV && $ARGV[0] =~ /^-(.+)/s) {
        my $switch = $1;
        shift @ARGV;
        last if $switch eq '-';
        my ($name, $value) = $switch =~ /^([^=]+)(?:=(.*))?\z/s;
        ${"main::$name"} = defined $value ? $value : 1;
    }
}

# The first statement of the script, before `enter`.
sub entered {
    $entered = 1;
    delete $INC{'WsgiWasm/script'};
    no warnings;
    my $place = tell main::DATA;
    $place = $place < 0 ? $at_end : $place - length($prefix) - $grown;
    open main::DATA, '<', $file and seek main::DATA, $place, 0 if defined $place;
    $text = undef;
    $! = 0;    # which would be the status of `die`
}

# Reached where the script has ended by itself, or was never begun.
sub end {
    return if $entered;
    fail($@ eq '' ? "Can't open perl script \"$file\": $!\n" : $@, 255);
}

sub fail {
    my ($message, $status) = @_;
    print STDERR $message;
    CORE::exit($status);
}

1;

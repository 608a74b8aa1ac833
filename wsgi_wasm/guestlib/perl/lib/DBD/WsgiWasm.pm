package DBD::WsgiWasm;

# What the drivers for DBI have in common: databases that the route grants, by the channel to the host
# (docs/channel.md, "Databases"). A driver is a package with a few functions of its own.

use strict;
use warnings;
use DBI ();

our ($OPEN, $PREPARE, $EXECUTE, $FETCH, $CLOSE) = (0x800 .. 0x804);
our ($INTEGER, $REAL, $TEXT, $BYTES) = (1 .. 4);

# Makes the classes of a driver, with handles that are of these.
sub make {
    my ($name, $version) = @_;
    no strict 'refs';
    for my $type (qw(dr db st)) {
        @{"DBD::${name}::${type}::ISA"} = ("DBD::WsgiWasm::$type");
        ${"DBD::${name}::${type}::imp_data_size"} = 0;
    }
    my $driver;
    *{"DBD::${name}::driver"} = sub {
        $driver ||= DBI::_new_drh("DBD::${name}::dr", { Name => $name, Version => $version, Attribution => 'wsgi_wasm' });
        return $driver;
    };
    *{"DBD::${name}::CLONE"} = sub { undef $driver };
}

# What an operation gives, or undef, and then the handle has the error.
sub ask {
    my ($handle, $operation, $request) = @_;
    my $answer = WsgiWasm::ask($operation, $request);
    if (!defined $answer) {
        $handle->set_err(1, "the host refuses it: $!", 'HY000');
        return undef;
    }
    my ($failed, $rest) = unpack 'Va*', $answer;
    return $rest unless $failed;
    my ($number, $state, $message) = unpack 'lZ*Z*', $rest;
    utf8::decode($message) if $handle->FETCH('wasm_decodes');
    $handle->set_err($number || 1, $message, $state eq '' ? 'HY000' : $state);
    return undef;
}

sub packed {
    my ($value, $kind, $upgrades) = @_;
    return pack 'C', 0 unless defined $value;
    return pack 'Cq<', $INTEGER, $value if $kind == $INTEGER && $value =~ /^\s*[-+]?\d{1,18}\s*\z/;
    return pack 'Cd<', $REAL, $value if $kind == $REAL;
    my $copy = "$value";
    if ($kind == $BYTES) { utf8::downgrade($copy, 1) or utf8::encode($copy) }
    elsif ($upgrades || utf8::is_utf8($copy)) { utf8::encode($copy) }
    return pack 'CV/a*', $kind == $BYTES ? $BYTES : $TEXT, $copy;
}

# Statement with each placeholder as the host wants it, and their names in the order in which values
# are sent. What is in quotes and comments is left alone.
sub placeholders {
    my ($statement, $style) = @_;
    my (@names, %numbers);
    my $questions = 0;
    my $escapes = $style eq 'mysql' ? qr/(?:[^'\\]|\\.|'')*/s : qr/(?:[^']|'')*/s;
    my $word = $style eq 'postgres' ? qr/\$(\w*)\$.*?\$\g{-1}\$|::|\bE'(?:[^'\\]|\\.|'')*'|\$(?<number>\d+)/s
        : $style eq 'sqlite' ? qr/\[[^\]]*\]|[\$\@](?<name>\w+)/ : qr/#[^\n]*/;
    my $colon = $style eq 'mysql' ? qr/(?!)/ : qr/(?<![\w:]):(?<label>[A-Za-z_]\w*)/;
    my $skipped = qr/'$escapes'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|--[^\n]*|\/\*.*?\*\//s;
    my $found = $statement =~ s{($skipped)|$word|$colon|(\\?)\?(?<position>\d*)}{
        my $whole = $&;
        if (defined $1) { $whole }
        else {
            my $key = defined $+{label} ? ":$+{label}" : defined $+{name} ? $whole
                : defined $+{number} ? $+{number}
                : defined $+{position} ? $+{position} eq '' ? ++$questions : $+{position} : undef;
            if (!defined $key) { $whole }
            elsif ($whole =~ /^\\/) { $questions--; '?' }
            elsif ($style ne 'postgres') { push @names, $key; '?' }
            else {
                push @names, $key unless exists $numbers{$key};
                $numbers{$key} ||= @names;
                "\$$numbers{$key}";
            }
        }
    }gesr;
    return ($found, \@names);
}

package DBD::WsgiWasm::dr;

our @ISA = ("DBD::_::dr");

sub connect {
    my ($drh, $name, $user, $password, $attributes) = @_;
    (my $class = $drh->{ImplementorClass}) =~ s/::dr\z//;
    my ($kind, $address) = $class->address(defined $name ? $name : '', $user, $password, $attributes || {});
    my $answer = DBD::WsgiWasm::ask($drh, $OPEN, "$kind\0$address\0");
    return undef unless defined $answer;
    my ($outer, $dbh) = DBI::_new_dbh($drh, { Name => $name, wasm_handle => unpack('V', $answer), wasm_kind => $kind });
    $dbh->{wasm_driver} = $class;
    $dbh->{wasm_begun} = 0;
    $dbh->STORE(Active => 1);
    return $outer;
}

sub data_sources { return () }
sub disconnect_all { return 1 }
sub FETCH { my ($drh, $name) = @_; return $name eq 'wasm_decodes' ? 0 : $drh->SUPER::FETCH($name) }
sub DESTROY { return }

package DBD::WsgiWasm::db;

our @ISA = ("DBD::_::db");

sub prepare {
    my ($dbh, $statement) = @_;
    my ($outer, $sth) = DBI::_new_sth($dbh, { Statement => $statement });
    my ($text, $names) = DBD::WsgiWasm::placeholders($statement, $dbh->{wasm_kind});
    utf8::encode($text) if utf8::is_utf8($text) || $dbh->{wasm_driver}->upgrades($dbh);
    $sth->{wasm_text} = $text;
    $sth->{wasm_names} = $names;
    $sth->{wasm_values} = {};
    $sth->{wasm_types} = {};
    my %different = map { $_ => 1 } @$names;
    $sth->STORE(NUM_OF_PARAMS => $dbh->{wasm_kind} eq 'postgres' ? scalar keys %different : scalar @$names);
    return $outer;
}

# Begins a transaction where AutoCommit is off and none has begun.
sub begin {
    my ($dbh) = @_;
    return 1 if $dbh->{wasm_begun} || $dbh->FETCH('AutoCommit');
    $dbh->{wasm_begun} = 1;
    my $begun = defined run($dbh, $dbh->{wasm_kind} eq 'mysql' ? 'START TRANSACTION' : 'BEGIN');
    $dbh->{wasm_begun} = 0 unless $begun;
    return $begun;
}

# A statement of the driver's own: its answer.
sub run {
    my ($handle, $text) = @_;
    my $dbh = $handle->{wasm_handle} ? $handle : $handle->{Database};
    my $prepared = DBD::WsgiWasm::ask($handle, $PREPARE, pack('V', $dbh->{wasm_handle}) . $text);
    return undef unless defined $prepared;
    my $answer = DBD::WsgiWasm::ask($handle, $EXECUTE, $prepared);
    WsgiWasm::ask($CLOSE, $prepared);
    return $answer;
}

sub finish_work {
    my ($dbh, $how) = @_;
    if ($dbh->FETCH('AutoCommit')) {
        warn "$how ineffective with AutoCommit enabled" if $dbh->FETCH('Warn');
        return 1;
    }
    my $begun = $dbh->{wasm_begun};
    $dbh->{wasm_begun} = 0;
    return undef if $begun && !defined run($dbh, uc $how);
    if ($dbh->{BegunWork}) {
        $dbh->{BegunWork} = 0;
        $dbh->STORE(AutoCommit => 1);
    }
    return 1;
}

sub commit { return finish_work($_[0], 'commit') }
sub rollback { return finish_work($_[0], 'rollback') }

sub disconnect {
    my ($dbh) = @_;
    return 1 unless $dbh->FETCH('Active');
    $dbh->STORE(Active => 0);
    WsgiWasm::ask($CLOSE, pack 'V', $dbh->{wasm_handle});    # what has not been committed is undone
    return 1;
}

sub ping {
    my ($dbh) = @_;
    return 0 unless $dbh->FETCH('Active');
    local $dbh->{RaiseError} = 0;
    local $dbh->{PrintError} = 0;
    return defined run($dbh, 'SELECT 1') ? 1 : 0;
}

sub last_insert_id {
    my ($dbh, $catalog, $schema, $table, $field) = @_;
    return $dbh->{wasm_inserted} if $dbh->{wasm_kind} ne 'postgres';
    my $statement = 'SELECT lastval()';
    if (defined $table && defined $field) {
        my $name = (defined $schema && $schema ne '' ? $dbh->quote_identifier($schema) . '.' : '') . $dbh->quote_identifier($table);
        $statement = 'SELECT currval(pg_get_serial_sequence(' . $dbh->quote($name) . ', ' . $dbh->quote($field) . '))';
    }
    return ($dbh->selectrow_array($statement))[0];
}

sub table_info {
    my ($dbh, $catalog, $schema, $table) = @_;
    my $like = defined $table && $table ne '' ? ' WHERE TABLE_NAME LIKE ' . $dbh->quote($table) : '';
    my $from = $dbh->{wasm_kind} eq 'sqlite'
        ? "(SELECT NULL AS TABLE_CAT, 'main' AS TABLE_SCHEM, name AS TABLE_NAME, upper(type) AS TABLE_TYPE,
            NULL AS REMARKS FROM sqlite_master WHERE type IN ('table', 'view'))"
        : "(SELECT NULL AS \"TABLE_CAT\", table_schema AS \"TABLE_SCHEM\", table_name AS \"TABLE_NAME\",
            replace(table_type, 'BASE ', '') AS \"TABLE_TYPE\", NULL AS \"REMARKS\" FROM information_schema.tables
            WHERE table_schema NOT IN ('information_schema', 'pg_catalog', 'mysql', 'performance_schema', 'sys')) AS t";
    if ($dbh->{wasm_kind} eq 'postgres') { $like =~ s/TABLE_NAME/"TABLE_NAME"/ }
    elsif ($dbh->{wasm_kind} eq 'mysql') { $from =~ s/"/`/g }
    my $sth = $dbh->prepare("SELECT * FROM $from$like") or return undef;
    $sth->execute or return undef;
    return $sth;
}

sub get_info {
    my ($dbh, $type) = @_;
    return $dbh->{wasm_kind} eq 'mysql' ? '`' : '"' if $type == 29;
    return '.' if $type == 41;
    return { sqlite => 'SQLite', postgres => 'PostgreSQL', mysql => 'MySQL' }->{ $dbh->{wasm_kind} } if $type == 17;
    return undef;
}

sub FETCH {
    my ($dbh, $name) = @_;
    return $dbh->{wasm_driver}->decodes($dbh) if $name eq 'wasm_decodes';
    return $dbh->{wasm_inserted} if $name eq 'mysql_insertid' || $name eq 'mariadb_insertid';
    return $dbh->SUPER::FETCH($name);
}

sub STORE {
    my ($dbh, $name, $value) = @_;
    if ($name eq 'AutoCommit') {
        if ($value && $dbh->{wasm_begun}) {
            $dbh->{wasm_begun} = 0;
            run($dbh, 'COMMIT');
        }
        return $dbh->SUPER::STORE(AutoCommit => $value ? -901 : -900);
    }
    return $dbh->{$name} = $value if $name =~ /^(?:sqlite|pg|mysql|mariadb|wasm)_/;
    return $dbh->SUPER::STORE($name, $value);
}

sub DESTROY { my ($dbh) = @_; $dbh->disconnect if $dbh->FETCH('Active'); return }

package DBD::WsgiWasm::st;

our @ISA = ("DBD::_::st");

# How a value is sent that has been bound with a type of SQL's.
my %KINDS = (
    (map { $_ => $INTEGER } DBI::SQL_INTEGER(), DBI::SQL_SMALLINT(), DBI::SQL_TINYINT(), DBI::SQL_BIGINT()),
    (map { $_ => $REAL } DBI::SQL_DOUBLE(), DBI::SQL_FLOAT(), DBI::SQL_REAL()),
    (map { $_ => $BYTES } DBI::SQL_BLOB(), DBI::SQL_BINARY(), DBI::SQL_VARBINARY(), DBI::SQL_LONGVARBINARY(), 17),
);

sub bind_param {
    my ($sth, $name, $value, $attributes) = @_;
    my $type = ref $attributes ? $attributes->{TYPE} || $attributes->{pg_type} : $attributes;
    $type = $type->{type} if ref $type;
    $sth->{wasm_values}{$name} = $value;
    $sth->{wasm_types}{$name} = $KINDS{$type} || $TEXT if defined $type;
    return 1;
}

sub execute {
    my ($sth, @values) = @_;
    my $dbh = $sth->{Database};
    return $sth->set_err(1, 'the connection has been closed', '08003') unless $dbh->FETCH('Active');
    my $names = $sth->{wasm_names};
    if (@values) {
        my $wanted = $sth->FETCH('NUM_OF_PARAMS');
        return $sth->set_err(1, 'called with ' . @values . " bind variables when $wanted are needed", '07001')
            if @values != $wanted;
        my %seen;
        my @different = grep { !$seen{$_}++ } @$names;
        @different = sort { $a <=> $b } @different unless grep { /\D/ } @different;
        @{ $sth->{wasm_values} }{ @different } = @values if @different == @values;
    }
    if (my ($missing) = grep { !exists $sth->{wasm_values}{$_} } @$names) {
        return $sth->set_err(1, "the placeholder $missing has no value", '07002');
    }
    DBD::WsgiWasm::db::begin($dbh) or return undef;
    if (!$sth->{wasm_handle}) {
        my $answer = DBD::WsgiWasm::ask($sth, $PREPARE, pack('V', $dbh->{wasm_handle}) . $sth->{wasm_text});
        return undef unless defined $answer;
        $sth->{wasm_handle} = unpack 'V', $answer;
    }
    my $upgrades = $dbh->{wasm_driver}->upgrades($dbh);
    my $request = join '', pack('V', $sth->{wasm_handle}),
        map { DBD::WsgiWasm::packed($sth->{wasm_values}{$_}, $sth->{wasm_types}{$_} || $TEXT, $upgrades) } @$names;
    my $answer = DBD::WsgiWasm::ask($sth, $EXECUTE, $request);
    return undef unless defined $answer;
    return answered($sth, $dbh, $answer);
}

sub answered {
    my ($sth, $dbh, $answer) = @_;
    my ($changed, $inserted, $count, $rest) = unpack 'q<q<Va*', $answer;
    my @described = unpack "(Z*Z*)$count", $rest;
    substr($rest, 0, length join('', map { "$_\0" } @described)) = '';
    $sth->{wasm_decodes} = $dbh->{wasm_driver}->decodes($dbh);
    my @columns = @described[grep { $_ % 2 == 0 } 0 .. $#described];
    if ($sth->{wasm_decodes}) { utf8::decode($_) for @columns }
    if (($sth->FETCH('NUM_OF_FIELDS') || 0) != $count) {
        $sth->{NUM_OF_FIELDS} = undef;
        $sth->STORE(NUM_OF_FIELDS => $count);
    }
    $sth->{NAME} = \@columns;
    $sth->{TYPE} = [ (DBI::SQL_VARCHAR()) x $count ];
    $sth->{NULLABLE} = [ (1) x $count ];
    delete @$sth{qw(NAME_lc NAME_uc NAME_hash NAME_lc_hash NAME_uc_hash _fbav)};
    $sth->{wasm_more} = unpack 'C', $rest;
    $sth->{wasm_rows} = substr $rest, 1;
    $sth->{wasm_at} = 0;
    $sth->{wasm_changed} = $changed;
    $dbh->{wasm_inserted} = $sth->{wasm_inserted} = $inserted unless $count;
    $sth->STORE(Active => 1) if $count;
    return $count && $dbh->{wasm_kind} eq 'sqlite' ? '0E0' : $changed || '0E0';
}

sub more {
    my ($sth) = @_;
    return 0 unless $sth->{wasm_more};
    my $answer = WsgiWasm::ask($FETCH, pack 'V', $sth->{wasm_handle});
    return 0 unless defined $answer;
    $sth->{wasm_more} = unpack 'C', $answer;
    $sth->{wasm_rows} = substr($sth->{wasm_rows}, $sth->{wasm_at}) . substr $answer, 1;
    $sth->{wasm_at} = 0;
    return 1;
}

# Bytes of the rows from there on.
sub taken {
    my ($sth, $size) = @_;
    while (length($sth->{wasm_rows}) - $sth->{wasm_at} < $size) { more($sth) or return undef }
    my $found = substr $sth->{wasm_rows}, $sth->{wasm_at}, $size;
    $sth->{wasm_at} += $size;
    return $found;
}

sub fetchrow_arrayref {
    my ($sth) = @_;
    return undef unless $sth->FETCH('Active');
    my @row;
    for (1 .. $sth->FETCH('NUM_OF_FIELDS')) {
        my $kind = taken($sth, 1);
        if (!defined $kind) { $sth->finish; return undef }
        $kind = unpack 'C', $kind;
        if ($kind == 0) { push @row, undef; next }
        if ($kind == $INTEGER || $kind == $REAL) {
            push @row, unpack $kind == $INTEGER ? 'q<' : 'd<', taken($sth, 8);
            next;
        }
        my $value = taken($sth, unpack 'V', taken($sth, 4));
        utf8::decode($value) if $kind == $TEXT && $sth->{wasm_decodes};
        push @row, $value;
    }
    if ($sth->FETCH('ChopBlanks')) { defined && s/ +\z// for @row }
    return $sth->_set_fbav(\@row);
}
*fetch = \&fetchrow_arrayref;

sub rows { my ($sth) = @_; return defined $sth->{wasm_changed} ? $sth->{wasm_changed} : -1 }

sub finish {
    my ($sth) = @_;
    $sth->STORE(Active => 0);
    $sth->{wasm_more} = 0;
    $sth->{wasm_rows} = '';
    return 1;
}

sub FETCH {
    my ($sth, $name) = @_;
    return $sth->{$name} if $name =~ /^wasm_/;
    return $sth->{wasm_inserted} if $name eq 'mysql_insertid' || $name eq 'mariadb_insertid';
    return $sth->{wasm_values} if $name eq 'ParamValues';
    return $sth->SUPER::FETCH($name);
}

sub STORE { my ($sth, $name, $value) = @_; return $sth->SUPER::STORE($name, $value) }

sub DESTROY {
    my ($sth) = @_;
    WsgiWasm::ask($CLOSE, pack 'V', $sth->{wasm_handle}) if $sth->{wasm_handle};
    return;
}

1;

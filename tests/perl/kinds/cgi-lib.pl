# Reads a form into %in, as libraries of the nineties do.
sub ReadParse {
    local ($text, $pair, $name, $value);
    if ($ENV{'REQUEST_METHOD'} eq 'POST') { read(STDIN, $text, $ENV{'CONTENT_LENGTH'}); }
    else { $text = $ENV{'QUERY_STRING'}; }
    foreach $pair (split(/[&;]/, $text)) {
        ($name, $value) = split(/=/, $pair, 2);
        $value =~ tr/+/ /;
        $value =~ s/%([0-9A-Fa-f]{2})/pack("C", hex($1))/ge;
        $in{$name} = defined $in{$name} ? "$in{$name}\0$value" : $value;
    }
    return scalar(keys %in);
}

sub html { local ($text) = @_; $text =~ s/&/&amp;/g; $text =~ s/</&lt;/g; $text =~ s/>/&gt;/g; $text =~ s/"/&quot;/g; return $text; }

sub PrintHeader { return "Content-type: text/html\n\n"; }

1;

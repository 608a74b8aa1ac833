package Config;

# What Errno_pm.PL asks of a configuration, so that it reads the numbers of errors from the headers
# of the compiler that TARGET_CC names.

use strict;
use warnings;

our %Config = (
    archname   => 'wasm32-wasi',
    osvers     => '1',
    cc         => $ENV{TARGET_CC},
    ccflags    => '',
    cppflags   => '',
    cppminus   => '-x c -',
    cppstdin   => "$ENV{TARGET_CC} -E",
    gccversion => '4',
    sysroot    => '',
);

sub import {
    no strict 'refs';
    *{caller() . '::Config'} = \%Config;
}

1;

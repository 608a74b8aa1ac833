sub head { print "Content-type: text/plain\n\n"; }
1;

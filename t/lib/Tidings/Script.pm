# SPDX-License-Identifier: BSD-2-Clause
# Runs a test file under Node.js against a server of this harness. The script may ask for things to be done to the
# server: a line of JSON on a UNIX socket, [what, arguments ...], is answered by {"ok": value} or {"error": text}. What it
# exchanges with the server it notes in a file, and that is held against the documents of the API.
package Tidings::Script;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::More;
use Tidings::Util qw(reap signal_and_reap run slurp spew);
use Tidings::Witness;

my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my $sockets = 0;

# The command that runs Node.js with a WebSocket, as a list; empty where there is none that is fit.
sub node_command {
	my ($dir) = @_;
	my $node = $ENV{NODE} // 'node';
	my $native = 'typeof WebSocket === "function"';
	my $package = 'require("/usr/share/nodejs/ws")';
	for ([$native, $node], [$native, $node, '--experimental-websocket'], [$package, $node]) {
		my ($there, @command) = @$_;
		my $check = "process.exit(parseInt(process.versions.node) >= 18 && ($there) ? 0 : 1)";
		my ($status) = run($dir, @command, '-e', $check);
		return @command if !$status;
	}
	return;
}

# command: list reference; dir: for the socket; env: hash; actions: name => code, called with the arguments.
# Each test of the script at the top becomes a test here. Returns the witness of what it exchanged with the server.
sub run_script {
	my (%o) = @_;
	my $path = "$o{dir}/script-" . ++$sockets . '.sock';
	my $notes = spew("$o{dir}/script-$sockets.notes", '');
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die "$path: $!\n";
	my ($pid, $out) = start_script({%{$o{env}}, TIDINGS_CONTROL => $path, TIDINGS_NOTES => $notes}, @{$o{command}});
	my $select = IO::Select->new($listener, $out);
	my ($report, $requests) = ({failed => 0, tests => 0, text => ''}, {});
	while ($select->exists($out)) {
		for my $fh ($select->can_read) {
			if ($fh == $listener) {
				$select->add(scalar $listener->accept);
			} elsif ($fh != $out) {
				serve($requests, $fh, $o{actions}) or $select->remove($fh);
			} elsif (!sysread $out, $report->{text}, 65536, length $report->{text}) {
				$select->remove($out);
			} else {
				report($report, $1) while $report->{text} =~ s/\A([^\n]*)\n//;
			}
		}
	}
	my $status = reap($pid, 10) // signal_and_reap($pid, 'KILL');
	ok $report->{tests} > 0, 'it has tests';
	is $status, 0, 'and ends well' if !$report->{failed};
	my $witness = Tidings::Witness->new;
	$witness->take($json->decode($_)) for split /\n/, slurp($notes);
	return $witness;
}

sub start_script {
	my ($env, @command) = @_;
	pipe my $out, my $in or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
		$ENV{$_} = $env->{$_} for keys %$env;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $in or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		{ no warnings 'exec'; exec @command; }
		POSIX::_exit(127);
	}
	close $in;
	return ($pid, $out);
}

# What came in, a request a line; false where the script has closed.
sub serve {
	my ($requests, $fh, $actions) = @_;
	return 0 if !sysread $fh, $requests->{$fh}, 65536, length($requests->{$fh} //= '');
	local $SIG{PIPE} = 'IGNORE';
	while ($requests->{$fh} =~ s/\A([^\n]*)\n//) {
		my ($what, @args) = @{$json->decode($1)};
		my $value = eval { ($actions->{$what} // die "no such action: $what\n")->(@args) };
		my $answer = $json->encode($@ ? {error => $@} : {ok => $value}) . "\n";
		syswrite $fh, $answer;
	}
	return 1;
}

# A line of the script's TAP (version 13, subtests indented).
sub report {
	my ($report, $line) = @_;
	if ($line =~ /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b\s*(.*))?$/) {
		my ($failed, $name, $directive, $why) = ($1, $2, $3, $4);
		$report->{tests}++;
		$report->{failed}++ if $failed;
		$report->{telling} = $failed;
		if ($directive) {
			SKIP: { skip "$name: $why", 1 }
		} else {
			ok !$failed, $name;
		}
	} elsif ($line =~ /^\s*duration_ms: (\S+)/) {
		note("after $1 ms");
	} elsif ($report->{telling} || $line =~ /^\s*not ok|^\s*# (?!Subtest|tests|suites|pass|fail|cancelled|skipped|todo|duration)/) {
		diag($line);
	} else {
		note($line);
	}
	return;
}

1;

# SPDX-License-Identifier: BSD-2-Clause
# Small things the harness shares: waiting for a condition, free ports, child processes, files.
# Nothing here sleeps for time to pass; what waits, waits for something and gives up loudly.
package Tidings::Util;
use strict;
use warnings;
use Exporter 'import';
use Errno qw(EADDRINUSE);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

our @EXPORT_OK = qw(now patience wait_for free_port spawn reap signal_and_reap run slurp spew children_of);

# Where servers are, also for users that are not root.
$ENV{PATH} .= ':/usr/sbin' if ($ENV{PATH} // '') !~ m{(?:^|:)/usr/sbin(?::|$)};

sub now { return clock_gettime(CLOCK_MONOTONIC) }

# How long a condition may take before the test calls it a failure: generous, since it costs nothing when all is well.
sub patience { return 60 * ($ENV{TIDINGS_VALGRIND} ? 10 : 1) * ($ENV{TIDINGS_PATIENCE} || 1) }

# Runs the code until it returns something true, which it returns; dies with the name of what was waited for.
sub wait_for {
	my ($what, $code, $timeout) = @_;
	my $deadline = now() + ($timeout // patience());
	my $pause = 0.002;
	while (1) {
		my $got = $code->();
		return $got if $got;
		die "gave up waiting for $what\n" if now() > $deadline;
		sleep $pause;
		$pause *= 1.5 if $pause < 0.05;
	}
}

# A TCP port nobody listens on, under the range the kernel gives to outgoing connections.
# None that another test has chosen and not used yet: an abstract socket of its name is held until this process ends.
my @reserved;
sub free_port {
	for (1 .. 200) {
		my $port = 15000 + int rand 17000;
		my $reserved = IO::Socket::UNIX->new(Local => "\0tidings-test-port-$port", Listen => 1) // next;
		push @reserved, $reserved;
		my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, Proto => 'tcp');
		return $port if $s;
		die "cannot listen on the loopback interface: $!\n" if $! != EADDRINUSE;
	}
	die "no free port found\n";
}

my $setpriv = grep { -x "$_/setpriv" } split /:/, $ENV{PATH} // '';

# Starts a command with its output appended to `log`; stdin, stdout: handles in place of nothing and of that. It is told
# to end when this process does, whatever the reason.
sub spawn {
	my (%o) = @_;
	my $pid = fork // die "fork: $!\n";
	return $pid if $pid;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
	$ENV{$_} = $o{env}{$_} for keys %{$o{env} // {}};
	open STDERR, '>>', $o{log} or POSIX::_exit(127);
	$o{stdin} ? open STDIN, '<&', $o{stdin} : open STDIN, '<', '/dev/null';
	open STDOUT, '>&', $o{stdout} // \*STDERR or POSIX::_exit(127);
	my @cmd = @{$o{cmd}};
	unshift @cmd, 'setpriv', '--pdeathsig', $o{deathsig} // 'TERM', '--' if $setpriv;
	{ no warnings 'exec'; exec @cmd; }
	print STDERR "cannot run $cmd[0]: $!\n";
	POSIX::_exit(127);
}

# The wait status if the child has ended by then, otherwise undef.
sub reap {
	my ($pid, $timeout) = @_;
	my $deadline = now() + ($timeout // 0);
	while (1) {
		my $got = waitpid $pid, WNOHANG;
		return $? if $got == $pid;
		return 0 if $got < 0;
		return undef if now() > $deadline;
		sleep 0.005;
	}
}

# Signals the child and returns its wait status; one that does not go in time is killed, and 'killed' returned.
sub signal_and_reap {
	my ($pid, $signal, $timeout) = @_;
	local ($?, $!);
	kill $signal, $pid;
	my $status = reap($pid, $timeout // patience());
	return $status if defined $status;
	kill 'KILL', $pid;
	reap($pid, 10);
	return 'killed';
}

# Runs a command to its end. {input => ..., timeout => ...} in front of it: its standard input, and seconds. Returns (exit status, or 128 + signal; standard output; standard error).
my $runs = 0;
sub run {
	my ($dir, @cmd) = @_;
	my %o = ref $cmd[0] ? %{shift @cmd} : ();
	my $input = $o{input};
	my $base = sprintf '%s/run-%d-%d', $dir, $$, ++$runs;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
		open STDIN, '<', defined $input ? spew("$base.in", $input) : '/dev/null';
		open STDOUT, '>', "$base.out" or POSIX::_exit(127);
		open STDERR, '>', "$base.err" or POSIX::_exit(127);
		{ no warnings 'exec'; exec @cmd; }
		print STDERR "cannot run $cmd[0]: $!\n";
		POSIX::_exit(127);
	}
	my $status = reap($pid, $o{timeout} // 3 * patience());
	if (!defined $status) {
		signal_and_reap($pid, 'KILL', 10);
		$status = 9;
	}
	my ($out, $err) = (slurp("$base.out"), slurp("$base.err"));
	unlink "$base.in", "$base.out", "$base.err";
	return ($status & 127 ? 128 + ($status & 127) : $status >> 8, $out, $err);
}

sub slurp {
	my ($path) = @_;
	open my $fh, '<:raw', $path or return '';
	local $/;
	return scalar(<$fh>) // '';
}

sub spew {
	my ($path, $text, $mode) = @_;
	open my $fh, '>:raw', $path or die "$path: $!\n";
	chmod $mode, $path if defined $mode;
	print {$fh} $text or die "$path: $!\n";
	close $fh or die "$path: $!\n";
	return $path;
}

# The processes whose parent is $pid, in order of their number.
sub children_of {
	my ($pid) = @_;
	my @found;
	opendir my $dh, '/proc' or die "/proc: $!\n";
	for my $p (grep { /^\d+$/ } readdir $dh) {
		my $stat = slurp("/proc/$p/stat");
		push @found, $p if $stat =~ /\)\s+(\S)\s+(\d+)/ && $2 == $pid && $1 ne 'Z';
	}
	return sort { $a <=> $b } @found;
}

1;

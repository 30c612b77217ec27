# SPDX-License-Identifier: BSD-2-Clause
# Proves with contrib/torture that what was acknowledged is kept and reaches every socket while faults happen: first
# that the checker can fail, then a minute of faults under a seed that is printed and can be given again.
use Tidings;
use Tidings::Util qw(run);

my $torture = Tidings::Server::program('contrib/torture/torture');
my $dir = Tidings::dir();

subtest 'the checker can fail' => sub {
	my ($status, $out) = run($dir, $torture, '--self-test');
	is $status, 0, 'it says nothing of what is right and names what is wrong' or diag($out);
	cmp_ok scalar(() = $out =~ /^ok /mg), '>', 20, 'in many histories';
	unlike $out, qr/^not ok/m, 'and in each';
};

subtest 'its options' => sub {
	my ($status, $out) = run($dir, $torture, '--help');
	is $status, 0, '--help';
	like $out, qr/--$_\b/, "tells of --$_" for qw(seed seconds hours users groups nodes faults keep help);
	for (['--faults', 'no-such-kind'], ['--seconds', 'soon'], ['--users', 1], ['what']) {
		($status, $out, my $err) = run($dir, $torture, @$_);
		is $status, 2, "@$_: 2";
		like $err, qr/\A(?:torture|\S+torture): /, 'with a reason';
	}
	my @plans = map { (run($dir, $torture, '--seed', 5, '--plan', 30))[1] } 1, 2;
	is $plans[0], $plans[1], 'the same seed has the same faults';
	isnt((run($dir, $torture, '--seed', 6, '--plan', 30))[1], $plans[0], 'another one has others');
};

subtest 'a minute of faults' => sub {
	my $seed = $ENV{TIDINGS_SEED} // 1 + int rand 1_000_000;
	my $seconds = $ENV{TIDINGS_TORTURE_SECONDS} // 60;
	my @keep = $ENV{TIDINGS_KEEP} ? ('--keep') : ();
	local $ENV{ASAN_OPTIONS} = 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1';
	local $ENV{UBSAN_OPTIONS} = 'print_stacktrace=1:halt_on_error=1';
	# It counts its deadlines by a clock that a busy machine slows down (doc/torture.md); run() only ends what hangs.
	local $ENV{TIDINGS_PATIENCE} = 10 * ($ENV{TIDINGS_PATIENCE} || 1);
	my ($status, $out, $err) = run($dir, $torture, '--seed', $seed, '--seconds', $seconds, @keep);
	is $status, 0, "with the seed $seed" or diag($out . $err);
	my ($sent, $acked) = $out =~ /^messages: (\d+) sent, (\d+) acknowledged/m;
	ok $sent, 'messages were sent';
	is $acked, $sent, 'and acknowledged, all of them';
	like $out, qr/^groups: [1-9]\d* of the messages, .* [1-9]\d* changes answered/m, 'some to groups, which changed';
	like $out, qr/^faults: [1-9]/m, 'faults happened';
	note($out);
};

done_testing;

# SPDX-License-Identifier: BSD-2-Clause
# Proves that every C unit passes: runs each program of t/unit/*/ in the build and relays its TAP.
use Tidings;
use Tidings::Util qw(patience run);

my $build = Tidings::Server::build_dir();
my @units = grep { -f && -x _ && !m{/\.libs/} } glob "$build/t/unit/*/*";
ok @units > 0, 'the build has unit programs (make check-programs)' or BAIL_OUT('nothing is built');

# Each source has its program: one that is not built would pass unseen.
my $source = Tidings::top() . '/t';
for my $file (glob "$source/unit/*/*.c") {
	my ($name) = $file =~ m{/(unit/[^/]+/[^/]+)\.c\z};
	ok -x "$build/t/$name", "$name is built" or diag("missing: $build/t/$name");
}

# An empty database is made once.
local $ENV{TIDINGS_EMPTY_MARIADB} = Tidings::stack()->template;
for my $unit (@units) {
	my ($name) = $unit =~ m{/(unit/.*)\z};
	subtest $name => sub {
		local %ENV = (%ENV, %{Tidings::Server::environment()});
		my ($status, $out, $err) = run(Tidings::dir(), {timeout => 20 * patience()}, $unit);
		my ($seen, $planned) = (0, undef);
		for my $line (split /\n/, $out) {
			if ($line =~ /^(not )?ok\b\s*\d*\s*-?\s*(.*)/) {
				$seen++;
				if ($2 =~ /# skip\b\s*(.*)/i) {
					SKIP: { skip $1, 1 }
				} else {
					ok !$1, $2;
				}
			} elsif ($line =~ /^1\.\.(\d+)/) {
				$planned = $1;
			} elsif ($line =~ /^# (failed|  )/) {
				diag($line);
			}
		}
		is $seen, $planned, 'as many tests as planned, and at least one' if !$planned || $seen != $planned;
		is $status, 0, 'ended well' or diag(substr $err, -4000);
	};
}

done_testing;

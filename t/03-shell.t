# SPDX-License-Identifier: BSD-2-Clause
# Proves that every shell script parses, and that shellcheck, where it is installed, finds nothing.
use Tidings;
use Tidings::Util qw(run slurp);

my $top = Tidings::top();

my @scripts = grep { -f && (/\.sh\z/ || slurp($_) =~ m{\A#!.*\b(?:sh|bash)\n}) }
	glob "$top/contrib/* $top/contrib/*/* $top/.ci/*";
ok @scripts >= 4, 'the scripts are where this test looks';

my $shellcheck = grep { -x "$_/shellcheck" } split /:/, $ENV{PATH};
for my $script (@scripts) {
	my $shell = slurp($script) =~ m{\A#!.*\bbash\n} ? 'bash' : 'sh';
	my ($status, $out, $err) = run(Tidings::dir(), $shell, '-n', $script);
	is $status, 0, "$script parses" or diag($err);
	SKIP: {
		skip 'shellcheck is not installed', 1 if !$shellcheck;
		my ($status, $out, $err) = run(Tidings::dir(), 'shellcheck', '-x', '-P', $top, $script);
		is $status, 0, "shellcheck has nothing to say about $script" or diag($out);
	}
	ok $script =~ /\.sh\z/ || -x $script, "$script can be run";
}

done_testing;

# SPDX-License-Identifier: BSD-2-Clause
# Proves what comes along for operators: the completion of bash knows every command and option that tidingsctl has, and
# systemd understands the units.
use Tidings;
use Tidings::Util qw(run slurp spew);
use Cwd qw(abs_path);

my $top = Tidings::top();
my $dir = Tidings::dir();
my $ctl = abs_path(Tidings::Server::program('tidingsctl'));

subtest 'completion' => sub {
	my $script = "$top/contrib/bash-completion/tidingsctl";
	my ($status, $summary) = run($dir, $ctl, '-h');
	my %args = $summary =~ /^  ([a-z]+) ?(.*)$/mg;
	cmp_ok scalar(keys %args), '>=', 12, 'the summary is what this test takes it for';
	# What is offered for the last of the words.
	my $complete = sub {
		my $code = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidingsctl; printf "%s\n" "${COMPREPLY[@]}"';
		my ($status, $out, $err) = run($dir, 'bash', '-c', $code, 'bash', $script, $ctl, @_);
		is $err, '', "no fault at: @_";
		return join ' ', sort grep { length } split /\n/, $out;
	};
	is $complete->(''), join(' ', sort keys %args, qw(-c -h -V --help --json --version)), 'every command and option';
	is $complete->('--json', '-c', 'x', 're'), 'reload', 'behind options';
	spew("$dir/some.conf", '');
	is $complete->('-c', "$dir/so"), "$dir/some.conf", '-c takes a file';
	is $complete->('user', ''), '--json --nickname add disable enable erase passwd revoke show', 'a command\'s own words';
	is $complete->('user', 'add', 'x', '--n'), '--nickname', 'and options';
	for my $name (sort keys %args) {
		is $complete->($name, '--'), join(' ', sort '--json', $args{$name} =~ /(--[a-z-]+)/g), "options of $name";
	}
	is $complete->('nothing', ''), '--json', 'an unknown command';
	SKIP: {
		skip 'shellcheck is not installed', 1 if !grep { -x "$_/shellcheck" } split /:/, $ENV{PATH};
		my ($status, $out) = run($dir, 'shellcheck', $script);
		is $status, 0, 'shellcheck has nothing to say' or diag($out);
	}
};

subtest 'systemd' => sub {
	plan skip_all => 'systemd-analyze is not installed' if !grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
	my ($daemon, $ctl) = map { abs_path(Tidings::Server::program($_)) } qw(tidingsd tidingsctl);
	mkdir "$dir/units" or die "mkdir: $!";
	for my $name (qw(tidings.service tidings.socket)) {
		my $text = slurp("$top/contrib/systemd/$name");
		$text =~ s{^ExecStart=\K/usr/sbin/tidingsd}{$daemon}m;
		$text =~ s{^ExecReload=\K/usr/bin/tidingsctl}{$ctl}m;
		# Manual pages are looked for where they are installed.
		$text =~ s{^Documentation=.*\n}{}m;
		spew("$dir/units/$name", $text);
	}
	for my $name (qw(tidings.service tidings.socket)) {
		my ($status, $out, $err) = run($dir, 'systemd-analyze', 'verify', "$dir/units/$name");
		is $status, 0, "$name is good";
		is join('', grep { /tidings/ } split /^/, "$out$err"), '', 'without a word';
	}
	my ($status, $out, $err) = run($dir, 'systemd-analyze', 'security', '--offline=yes', '--no-pager', "$dir/units/tidings.service");
	SKIP: {
		my ($exposure) = "$out$err" =~ /exposure level for \S+: (\d+\.\d+)/;
		skip 'this systemd cannot judge a file', 1 if !defined $exposure;
		cmp_ok $exposure, '<=', 2.5, 'it is exposed to little';
	}
};

done_testing;

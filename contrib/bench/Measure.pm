# SPDX-License-Identifier: BSD-2-Clause
# Runs programs that print "name value" lines, several times, and prints the medians; and what the scripts here share of
# starting what is measured.
package Measure;
use strict;
use warnings;
use Exporter 'import';
use Tidings::Server;
use Tidings::Util qw(run slurp);

our @EXPORT_OK = qw(release_build measure note figures median report pids_of at_full_speed);

my %got; # mode -> name -> values
my @order; # [mode, name] as they came

# The directory of a build, which has these programs and no sanitizers.
sub release_build {
	my $build = Tidings::Server::build_dir();
	for my $program ('tidingsd', 'tidingsctl', map { "contrib/bench/$_" } @_) {
		-x "$build/$program" or die "$build/$program is missing: build it first (make all bench-programs)\n";
	}
	slurp("$build/tidingsd") =~ /__asan_init/ and die "$build/tidingsd was built with AddressSanitizer: measure a release build\n";
	return $build;
}

# The limits under which the load generator's few users may do what thousands would; more: the rest of the configuration.
sub at_full_speed {
	return (limits => {sends_per_second => 1000000, burst => 1000000, requests_per_second => 0, sessions_per_second => 0, connections_per_address => 0}, @_);
}

# --pids of the processes of a Tidings that was started.
sub pids_of {
	my ($t) = @_;
	my %pids = (workers => [map { $_->worker_pids } $t->nodes], writers => [map { $_->writer_pids } $t->nodes], master => [map { $_->pid } $t->nodes],
		mariadb => [$t->{stack}{mariadb}], redis => [$t->{stack}{redis}]);
	return map { ('--pids', "$_=" . join ',', @{$pids{$_}}) } qw(workers writers master mariadb redis);
}

sub note {
	my ($mode, $name, $value) = @_;
	push @order, [$mode, $name] if !$got{$mode}{$name};
	push @{$got{$mode}{$name}}, $value;
	return;
}

# Runs it and keeps the figures as those of a mode. One that ends with an error, as after a message lost, doubled or out of order, ends
# it all; may_fail: the figures are told anyway.
sub measure {
	my ($t, $mode, $command, %o) = @_;
	my ($status, $out, $err) = run($t->dir, @$command);
	print STDERR $err;
	note($mode, split / /, $_, 2) for grep { !/^mode/ } split /\n/, $out;
	my ($rate) = $out =~ /^(\w+_per_second \d+)/m;
	die "$mode: @$command: status $status:\n$out" if ($status && !$o{may_fail}) || !defined $rate;
	print STDERR "# $mode $rate", $status ? ", ended with status $status" : '', "\n";
	return;
}

sub figures { my ($mode, $name) = @_; return @{$got{$mode}{$name} // []} }

sub median {
	my @v = sort { $a <=> $b } @_;
	return undef if !@v;
	return @v % 2 ? $v[$#v / 2] : ($v[$#v / 2] + $v[@v / 2]) / 2;
}

# All figures, or those whose names match.
sub report {
	my ($names) = @_;
	printf "%-14s %-34s %10s   %s\n", 'mode', 'figure', 'median', 'each run';
	for (@order) {
		my ($mode, $name) = @$_;
		next if $names && $name !~ $names;
		my @values = @{$got{$mode}{$name}};
		printf "%-14s %-34s %10s   %s\n", $mode, $name, median(@values), join ' ', @values;
	}
	return;
}

1;

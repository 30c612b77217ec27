# SPDX-License-Identifier: BSD-2-Clause
# One node: a tidingsd with a configuration file, a run_dir and ports of its own. Its end is looked at: a status
# other than 0, a sanitizer's report or the death of a worker that the test did not announce are faults.
package Tidings::Server;
use strict;
use warnings;
use JSON::PP ();
use Tidings::Conf qw(conf_text conf_merge);
use Tidings::HTTP;
use Tidings::Util qw(wait_for free_port spawn reap signal_and_reap run slurp spew children_of patience);

my $build = $ENV{TIDINGS_BUILD} // '.';

sub build_dir { return $build }
sub program { my ($name) = @_; return "$build/$name" }

# dir, name, conf (hash). Nothing runs yet.
sub new {
	my ($class, %o) = @_;
	my $dir = "$o{dir}/$o{name}";
	mkdir $dir or die "$dir: $!\n" if !-d $dir;
	my $self = bless {name => $o{name}, dir => $dir, log => "$dir/log", conf_path => "$dir/tidings.conf", faults => [],
		deaths_allowed => 0, owner => $$}, $class;
	$self->{address} = '127.0.0.1:' . free_port();
	$self->{admin} = '127.0.0.1:' . free_port();
	$self->configure(conf_merge({run_dir => "$dir/run", node_id => $o{name}, listen => [$self->{address}],
		admin => {listen => $self->{admin}}}, $o{conf}));
	mkdir "$dir/run" or die "$dir/run: $!\n" if !-d "$dir/run";
	return $self;
}

sub configure { my ($self, $conf) = @_; $self->{conf} = $conf; return $self->write_conf(conf_text($conf)) }
sub write_conf { my ($self, $text) = @_; spew($self->{conf_path}, $text, 0600); return $self }
sub address { return $_[0]{address} }
sub admin { return $_[0]{admin} }
sub pid { return $_[0]{pid} }

sub environment {
	return {ASAN_OPTIONS => 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1',
		UBSAN_OPTIONS => 'print_stacktrace=1:halt_on_error=1', TZ => 'America/St_Johns'};
}

# Starts the server and waits until it says it is ready; ready => 0 waits only until it is alive. program: another
# binary, wrap: a command in front of it, env: more environment.
sub start {
	my ($self, %o) = @_;
	my @cmd = (@{$o{wrap} // []}, $o{program} // program('tidingsd'), '-c', $self->{conf_path});
	unshift @cmd, 'valgrind', '--quiet', '--trace-children=yes', '--error-exitcode=99' if $ENV{TIDINGS_VALGRIND};
	$self->{log_from} = length slurp($self->{log});
	$self->{pid} = spawn(cmd => \@cmd, log => $self->{log}, env => {%{environment()}, %{$o{env} // {}}});
	$self->wait_ready($o{ready} // 1 ? '/readyz' : '/healthz');
	return $self;
}

sub wait_ready {
	my ($self, $path) = @_;
	wait_for("$self->{name} to answer 200 to $path", sub {
		my $status = reap($self->{pid});
		if (defined $status) {
			delete $self->{pid};
			die "$self->{name} ended with status $status instead of starting:\n" . $self->log_text;
		}
		my $r = eval { $self->admin_http->get($path, timeout => 5) };
		return $r && $r->status == 200;
	});
	# One of them has answered; sockets go to those that are ready.
	wait_for("all workers of $self->{name} to be ready", sub { $self->all_ready }) if $path eq '/readyz';
	return;
}

sub all_ready {
	my ($self) = @_;
	my $text = (eval { $self->admin_http->get('/metrics', timeout => 5) } // return 0)->body;
	my ($want) = $text =~ /^tidings_workers_configured (\d+)$/m;
	my ($have) = $text =~ /^tidings_workers\{state="ready"\} (\d+)$/m;
	return defined $want && defined $have && $have >= $want;
}

sub admin_http { my ($self) = @_; return Tidings::HTTP->new(address => $self->{admin}, admin => 1) }

# The log since the last start.
sub log_text { my ($self) = @_; return substr slurp($self->{log}), $self->{log_from} // 0 }
# Waits for a line in the log.
sub log_like {
	my ($self, $regex) = @_;
	return wait_for("$regex in the log of $self->{name}", sub { $self->log_text =~ $regex });
}

# tidingsctl with this node's configuration, {input => ...} in front of the arguments: (exit status, standard output, standard error).
sub ctl {
	my ($self, @args) = @_;
	local $ENV{ASAN_OPTIONS} = 'detect_leaks=1';
	my @input = ref $args[0] ? shift @args : ();
	return run($self->{dir}, @input, program('tidingsctl'), '-c', $self->{conf_path}, @args);
}

# The same for a command that has to succeed; with --json among the arguments its output is decoded.
sub ctl_ok {
	my ($self, @args) = @_;
	my ($status, $out, $err) = $self->ctl(@args);
	die "tidingsctl @args: status $status: $out$err\n" if $status;
	return grep({ $_ eq '--json' } @args) ? JSON::PP->new->utf8->allow_nonref->decode($out) : $out;
}

# Takes up a changed configuration, and waits until no worker of before serves any more.
sub reload {
	my ($self) = @_;
	my $serving = sub { return map { $_->{pid} => 1 } grep { $_->{state} eq 'ready' } @{$self->ctl_ok('workers', '--json')->{workers}} };
	my %before = $serving->();
	$self->ctl_ok('reload');
	wait_for("new workers of $self->{name}", sub { my %now = $serving->(); %now && !grep { $before{$_} } keys %now });
	return;
}

# Moves the node's clocks, or its wall clock alone, also back and by parts of a second; needs a debug build.
sub clock { my ($self, $secs) = @_; $self->ctl_ok('clock', $secs); return }
sub wall_clock { my ($self, $secs) = @_; $self->ctl_ok('clock', 'wall', $secs); return }

# After an upgrade: the process is another one, and no child of ours.
sub follow {
	my ($self) = @_;
	my $old = $self->{pid};
	$self->{pid} = wait_for("$self->{name} to be taken over", sub {
		my ($status, $out) = $self->ctl('--json', 'status');
		my $now = $status == 0 && JSON::PP->new->decode($out)->{pid};
		return $now && $now != $old && $now;
	});
	$self->{adopted} = 1;
	return $old;
}

sub worker_pids { my ($self) = @_; return grep { comm_of($_) !~ /^tidings-(?:writer|relay)\z/ && !is_media($_) } children_of($self->{pid}) }
sub writer_pids { my ($self) = @_; return grep { comm_of($_) eq 'tidings-writer' } children_of($self->{pid}) }
sub relay_pids { my ($self) = @_; return grep { comm_of($_) eq 'tidings-relay' } children_of($self->{pid}) }
sub media_pids { my ($self) = @_; return grep { is_media($_) } children_of($self->{pid}) }
# By what it was started with: its name comes a little later.
sub is_media { my ($pid) = @_; open my $f, '<', "/proc/$pid/cmdline" or return 0; my $line = <$f> // ''; return comm_of($pid) eq 'tidings-media' || $line =~ /^tidings-media\0/ }
# '' if it has died; worker_pids then counts it.
sub comm_of { my ($pid) = @_; open my $f, '<', "/proc/$pid/comm" or return ''; my $comm = <$f> // ''; chomp $comm; return $comm }

# How many deaths of workers, writers, relays and media processes the test intends.
sub allow_deaths { my ($self, $n) = @_; $self->{deaths_allowed} += $n; return $self }

# TERM, and every fault that the end and the log show; true without any.
sub stop {
	my ($self, %o) = @_;
	my $pid = delete $self->{pid} or return 1;
	my $expected = $o{status} // 0;
	my $status = $self->{adopted} ? $self->stop_adopted($pid, $o{signal} // 'TERM') // $expected : signal_and_reap($pid, $o{signal} // 'TERM');
	push @{$self->{faults}}, "ended with status $status, not $expected" if $status ne $expected;
	$self->inspect_log;
	$self->{log_at_fault} //= $self->log_text if @{$self->{faults}};
	return !@{$self->{faults}};
}

# What is worth reading when a test has failed: the log of the first life that ended badly, or of the last one.
sub telling_log { my ($self) = @_; return $self->{log_at_fault} // $self->log_text }

# Nobody tells us its status.
sub stop_adopted {
	my ($self, $pid, $signal) = @_;
	delete $self->{adopted};
	kill $signal, $pid;
	return undef if eval { wait_for('the server to end', sub { !kill 0, $pid }) };
	kill 'KILL', $pid;
	return 'killed';
}

sub inspect_log {
	my ($self) = @_;
	my $log = $self->log_text;
	my %seen;
	for my $line (split /\n/, $log) {
		my ($what) = $line =~ /(AddressSanitizer|LeakSanitizer|runtime error:.*|==\d+== .*(?:Invalid|definitely lost).*)/;
		push @{$self->{faults}}, "the log has: $line" if $what && !$seen{$what}++;
	}
	my $deaths = () = $log =~ /\b(?:worker|writer|relay|media) \d+\b.*\bdied\b/g;
	push @{$self->{faults}}, "$deaths worker(s), writer(s), relay(s) or media process(es) died, $self->{deaths_allowed} meant" if $deaths > $self->{deaths_allowed};
	return;
}

# The faults found so far, once.
sub take_faults { my ($self) = @_; return splice @{$self->{faults}} }


1;

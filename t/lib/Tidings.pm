# SPDX-License-Identifier: BSD-2-Clause
# The test harness: a private MariaDB and Redis and one or more nodes of Tidings, clients to speak to them, and the
# certainty that all of it is gone at the end, also when the test dies.
#
#	use Tidings;
#	my $t = Tidings->start(workers => 2, conf => {message => {recall_window => 60}});
#	$t->befriend('alice', 'bob');
#	my $r = $t->http('alice')->post('/messages/send', {to_user_id => 'bob', message_type => 'text', content => 'hi'});
#	my $event = $t->ws('bob')->expect('message');
#
# Environment: TIDINGS_BUILD (where tidingsd is built, default "."), TIDINGS_WORKERS (only this number of workers
# in for_workers), TIDINGS_DEFLATE (1: every WebSocket is compressed), TIDINGS_KEEP (keep the directory with logs and databases), TIDINGS_VALGRIND, TIDINGS_PATIENCE.
package Tidings;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter ();
use File::Path ();
use File::Temp ();
use Test::More;
use Tidings::Conf qw(conf_merge);
use Tidings::HTTP;
use Tidings::Recount;
use Tidings::Server;
use Tidings::Stack;
use Tidings::Token;
use Tidings::Util qw(wait_for spew now);
use Tidings::WS;

our $SECRET = 'a secret of the tests, over 32 bytes long';

my ($dir, $stack, @nodes);
my $owner = $$;
my $top = abs_path(__FILE__) =~ s{/t/lib/[^/]*\z}{}r;
my $nodes_made = 0;

# A test that uses this module gets strict, warnings, Test::More and these.
our @EXPORT = qw(for_workers wait_for now text_to text_in refused);
sub import {
	strict->import;
	warnings->import;
	Test::More->export_to_level(1, $_[0]);
	goto &Exporter::import;
}

# The top of the source tree.
sub top { return $top }

# The directory of this test; short, since the path of a UNIX socket is at most 107 bytes.
sub dir { return $dir //= File::Temp::tempdir('tidings-XXXXXX', DIR => '/tmp') }

# The databases, started when first asked for and shared by all parts of a test file. The options of the first call count.
# A function, or a method of a server that was started.
sub stack { my (%o) = @_ % 2 ? @_[1 .. $#_] : @_; return $stack //= Tidings::Stack->new(dir(), %o) }

# workers, nodes, conf, migrate => 0, start => 0. Each call has a database and a Redis prefix of its own.
sub start {
	my ($class, %o) = @_;
	my $self = bless {stack => stack(), nodes => [], http => {}}, $class;
	$self->{database} = $self->{stack}->fresh_database;
	spew(dir() . '/secret', "$SECRET\n", 0600);
	my $base = {workers => $o{workers} // 2, drain_timeout => 1, worker_connections => 1024,
		mysql => {socket => $self->{stack}->mariadb_socket, user => 'root', database => $self->{database}},
		redis => {socket => $self->{stack}->redis_socket, prefix => "$self->{database}:"},
		jwt => {secret_file => dir() . '/secret'}, limits => {sends_per_second => 100000, burst => 100000, requests_per_second => 0},
		websocket => {compression => $ENV{TIDINGS_DEFLATE} ? 'true' : 'false'}};
	$self->{conf} = conf_merge($base, $o{conf});
	for my $i (1 .. $o{nodes} // 1) {
		push @{$self->{nodes}}, Tidings::Server->new(dir => dir(), name => 'n' . ++$nodes_made, conf => $self->{conf});
	}
	push @nodes, @{$self->{nodes}};
	$self->migrate if $o{migrate} // 1;
	if ($o{start} // 1) { $_->start for @{$self->{nodes}} }
	return $self;
}

sub node { my ($self, $i) = @_; return $self->{nodes}[$i // 0] }
sub nodes { return @{$_[0]{nodes}} }
sub migrate { my ($self) = @_; return $self->node->ctl_ok('migrate') }

# Runs the code as a subtest for each number of workers, with a server of that kind.
sub for_workers {
	my ($name, $options, $code) = @_;
	for my $n (split /[ ,]+/, $ENV{TIDINGS_WORKERS} // '1 2 4') {
		subtest "$name, workers = $n" => sub {
			my $t = Tidings->start(%$options, workers => $n);
			$code->($t, $n);
			$t->stop;
		};
	}
	return;
}

# ---- people ----

sub dbh { my ($self) = @_; return $self->{dbh} //= $self->{stack}->dbh($self->{database}) }

# Makes every pair of them friends, the way a neighbouring system does: with rows.
sub befriend {
	my ($self, @users) = @_;
	my $dbh = $self->dbh;
	$dbh->do('INSERT IGNORE INTO users (id, nickname) VALUES (?, ?)', undef, $_, ucfirst) for @users;
	for my $a (@users) {
		$dbh->do('INSERT IGNORE INTO friendships (user_id, friend_id) VALUES (?, ?)', undef, $a, $_) for grep { $_ ne $a } @users;
	}
	return $self;
}

sub unfriend {
	my ($self, $a, $b) = @_;
	$self->dbh->do('DELETE FROM friendships WHERE (user_id = ? AND friend_id = ?) OR (user_id = ? AND friend_id = ?)', undef, $a, $b, $b, $a);
	return;
}

# Whether $a blocks $b.
sub set_blocked {
	my ($self, $a, $b, $blocked) = @_;
	$self->dbh->do('UPDATE friendships SET blocked = ? WHERE user_id = ? AND friend_id = ?', undef, $blocked, $a, $b);
	return;
}

sub token { my ($self, $user, %claims) = @_; return Tidings::Token::token($SECRET, {sub => $user, %claims}) }

# ---- clients ----

# The REST client of a user: a new connection. node: which one; further options as Tidings::HTTP->new takes.
sub http {
	my ($self, $user, %o) = @_;
	my $node = $self->node(delete $o{node});
	my $prefix = $node->{conf}{http}{prefix} // '';
	return Tidings::HTTP->new(address => $node->address, prefix => $prefix, mounted => $prefix,
		token => defined $user ? $self->token($user) : undef, %o);
}

# A kept REST client of the user on the first node, for tests that do not care for connections.
sub api { my ($self, $user) = @_; return $self->{http}{$user} //= $self->http($user) }

sub ws {
	my ($self, $user, %o) = @_;
	my $node = $self->node(delete $o{node});
	my $claims = delete $o{claims} // {};
	return Tidings::WS->open(address => $node->address, prefix => $node->{conf}{http}{prefix} // '',
		token => $self->token($user, %$claims), name => $user, %o);
}

# The answer of HTTP is that refusal, and its detail matches, where that is given.
sub refused {
	my ($name, $r, $status, $code, $detail) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->status . ' ' . ($r->status < 400 ? '' : $r->code), "$status $code", $name or diag($r->body);
	like $r->detail, $detail, 'the detail names it' if $detail && $r->status >= 400;
	return;
}

# The body of a plain text message.
sub text_to { my ($to, $content, %more) = @_; return {to_user_id => $to, message_type => 'text', content => $content, %more} }

# Sends it over HTTP and returns the message; anything but 201 is fatal to the test.
sub send_text {
	my ($self, $from, $to, $content, %more) = @_;
	my $r = $self->api($from)->post('/messages/send', text_to($to, $content, %more));
	die "send: " . $r->status . ' ' . $r->body . "\n" if $r->status != 201;
	return $r->json;
}

# The same to a conversation.
sub text_in { my ($id, $content, %more) = @_; return {conversation_id => $id, message_type => 'text', content => $content, %more} }
sub say {
	my ($self, $from, $id, $content, %more) = @_;
	my $r = $self->api($from)->post('/messages/send', text_in($id, $content, %more));
	die "send: " . $r->status . ' ' . $r->body . "\n" if $r->status != 201;
	return $r->json;
}

# A new group of the owner and these friends; its id. More: what else the request says.
sub group {
	my ($self, $owner, $members, %more) = @_;
	my $r = $self->api($owner)->post('/groups', {name => 'A group', user_ids => $members, %more});
	die "group: " . $r->status . ' ' . $r->body . "\n" if $r->status != 201 || @{$r->json->{left_out}};
	return $r->json->{id};
}

# ---- the truth ----

# What the rows themselves say against what is kept beside them (Recount.pm); one text a fault.
# The messages of these ids, which are to expire at some time, do so from now on.
sub make_due {
	my ($self, @ids) = @_;
	my ($dbh, $ids) = ($self->dbh, join ',', @ids);
	$dbh->begin_work;
	$dbh->do("UPDATE messages SET expires_at = UTC_TIMESTAMP(3) WHERE id IN ($ids)");
	$dbh->do("DELETE FROM expiries WHERE message_id IN ($ids)");
	$dbh->do("INSERT INTO expiries (expires_at, message_id) SELECT expires_at, id FROM messages WHERE id IN ($ids)");
	return $dbh->commit;
}
# And have done so.
sub expire {
	my ($self, @ids) = @_;
	$self->make_due(@ids);
	my $ids = join ',', @ids;
	return wait_for('messages to expire', sub { $self->dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE id IN ($ids) AND is_recalled = 1 AND content IS NULL") == @ids });
}

sub recount_faults {
	my ($self) = @_;
	return (Tidings::Recount::direct_faults($self->dbh), Tidings::Recount::group_faults($self->dbh), Tidings::Recount::change_faults($self->dbh), Tidings::Recount::kept_faults($self->dbh));
}

# What is unread for a member of a group, and how much of it mentions them, counted from the messages: [unread, mentions].
sub group_recount { my ($self, $user, $id) = @_; return [Tidings::Recount::group_unread($self->dbh, $id, $user)] }

# ---- the end ----

# Stops the nodes and fails the test for every fault they show.
sub stop {
	my ($self) = @_;
	$_->close for values %{$self->{http}};
	$self->{http} = {};
	for my $node (@{$self->{nodes}}) {
		$node->stop;
		fail("$node->{name}: $_") for $node->take_faults;
	}
	return;
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END {
	if ($$ == $owner) {
		my $status = $?;
		for my $node (@nodes) {
			$node->stop;
			my @faults = $node->take_faults;
			diag("$node->{name}: $_") for @faults;
			$status ||= 1 if @faults;
		}
		my $failed = $status || !Test::More->builder->is_passing;
		if ($failed) {
			for my $node (@nodes) {
				my @lines = split /\n/, $node->telling_log;
				splice @lines, 0, @lines - 80 if @lines > 80;
				diag("---- the end of the log of $node->{name}:\n" . join "\n", @lines) if @lines;
			}
		}
		$stack->stop if $stack;
		if (defined $dir) {
			if ($ENV{TIDINGS_KEEP}) { diag("kept: $dir") } else { File::Path::remove_tree($dir) }
		}
		$? = $status;
	}
}

1;

# SPDX-License-Identifier: BSD-2-Clause
# A receiver of webhooks: a process that answers as it is told to, and keeps what it was sent. It can be killed and
# started again on the same port.
package Tidings::Hook;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use Fcntl qw(:flock);
use IO::Socket::INET;
use JSON::PP ();
use Tidings::Util qw(free_port slurp spew);

my $made = 0;

# dir; secret: what bodies are to be signed with.
sub new {
	my ($class, %o) = @_;
	my $self = bless {%o, folder => "$o{dir}/hook" . ++$made, port => free_port()}, $class;
	mkdir $self->{folder} or die "$self->{folder}: $!";
	spew("$self->{folder}/log", '');
	spew("$self->{folder}/secret", "$o{secret}\n", 0600);
	$self->answer(200)->start;
	return $self;
}

sub url { my ($self, $path) = @_; return "http://127.0.0.1:$self->{port}$path" }
sub secret_file { return "$_[0]{folder}/secret" }
# A status with perhaps what Retry-After says ("429 7"), or hang, close, garbage, endless, elsewhere; or, for before_send,
# "200 {...}", a body; "by content": as the message's content says, by "refuse: DETAIL", "replace: CONTENT" or "raw: ...", one of
# these, and else it is allowed; "held": that, once release() was called. Of a path alone, where one is given.
sub answer { my ($self, $how, $path) = @_; spew("$self->{folder}/how" . ($path // '') =~ tr{/}{-}r, $how); return $self }

# What is held is answered.
sub release { my ($self) = @_; spew("$self->{folder}/released", ''); return $self }
sub hold { my ($self, $path) = @_; unlink "$self->{folder}/released"; return $self->answer('held', $path) }

sub start {
	my ($self) = @_;
	my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $self->{port}, Listen => 128, ReuseAddr => 1) or die "port $self->{port}: $!";
	$self->{pid} = fork // die "fork: $!";
	if (!$self->{pid}) {
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		while (my $client = $server->accept) {
			next if fork;
			close $server;
			$self->serve($client);
			require POSIX;
			POSIX::_exit(0);
		}
	}
	return $self;
}

# With all its connections.
sub kill { my ($self) = @_; kill KILL => -$self->{pid} if $self->{pid}; waitpid $self->{pid}, 0 if $self->{pid}; delete $self->{pid}; return $self }
sub DESTROY { local ($?, $!); $_[0]->kill; return }

sub serve {
	my ($self, $client) = @_;
	my $in = '';
	$client->autoflush(1);
	for (;;) {
		until ($in =~ /\r\n\r\n/) { sysread $client, $in, 65536, length $in or return }
		my ($head, $rest) = split /\r\n\r\n/, $in, 2;
		my ($len) = $head =~ /^content-length: (\d+)/mi;
		while (length $rest < $len) { sysread $client, $rest, 65536, length $rest or return }
		$in = substr $rest, $len, length $rest, '';
		my ($path) = $head =~ /\APOST (\S+) /;
		my ($signature) = $head =~ /^tidings-signature: (.*?)\r?$/mi;
		my $own = "$self->{folder}/how" . $path =~ tr{/}{-}r;
		my $how = slurp(-e $own ? $own : "$self->{folder}/how");
		$self->note({path => $path, body => $rest, signature => $signature, how => $how, head => $head});
		return if !$self->reply_to($client, $how, $rest);
	}
}

sub reply_to {
	my ($self, $client, $how, $body) = @_;
	if ($how eq 'held') {
		select undef, undef, undef, 0.01 until -e "$self->{folder}/released";
		$how = 'by content';
	}
	return reply($client, $how) if $how ne 'by content';
	my $content = JSON::PP->new->utf8->decode($body)->{message}{content} // '';
	my ($action, $rest) = $content =~ /\A(refuse|replace|raw): (.*)\z/s ? ($1, $2) : ('allow');
	return reply($client, $rest) if $action eq 'raw';
	return reply($client, '200 ' . JSON::PP->new->utf8->canonical->encode({action => $action, $action eq 'refuse' ? (detail => $rest) : $action eq 'replace' ? (content => $rest) : ()}));
}

sub reply {
	my ($client, $how) = @_;
	sleep 1 while $how eq 'hang';
	return 0 if $how eq 'close';
	return print $client "what is this?\r\n\r\n" if $how eq 'garbage';
	return print $client "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n" if $how eq 'elsewhere';
	if ($how eq 'endless') {
		print $client "HTTP/1.1 200 OK\r\n\r\n" or return 0;
		1 while print $client 'and so on ' x 1000;
		return 0;
	}
	return print $client "HTTP/1.1 $1 x\r\nContent-Type: application/json\r\nContent-Length: " . length($2) . "\r\n\r\n$2" if $how =~ /\A(\d\d\d) (\D.*)\z/s;
	my ($status, $after) = split / /, $how;
	return print $client "HTTP/1.1 $status x\r\n" . (defined $after ? "Retry-After: $after\r\n" : '') . "Content-Length: 0\r\n\r\n";
}

sub note {
	my ($self, $what) = @_;
	open my $log, '>>', "$self->{folder}/log" or die "log: $!";
	flock $log, LOCK_EX;
	syswrite $log, JSON::PP->new->canonical->latin1->encode($what) . "\n";
	close $log;
	return;
}

# What came to that path, in order; how: only what was answered so.
sub requests {
	my ($self, $path, $how) = @_;
	return grep { (!defined $path || $_->{path} eq $path) && (!defined $how || $_->{how} eq $how) } map { JSON::PP->new->latin1->decode($_) } split /\n/, slurp("$self->{folder}/log");
}

# The events in them that were taken.
sub events {
	my ($self, $path) = @_;
	return map { ref eq 'ARRAY' ? @$_ : $_ } map { JSON::PP->new->utf8->decode($_->{body}) } grep { $_->{how} =~ /\A2\d\d/ } $self->requests($path);
}

# How many seconds ago it was signed; undef: it was not.
sub signed {
	my ($self, $request) = @_;
	my ($t, $v1) = ($request->{signature} // '') =~ /\At=(\d+),v1=([0-9a-f]{64})\z/ or return undef;
	return hmac_sha256_hex("$t.$request->{body}", $self->{secret}) eq $v1 ? time - $t : undef;
}

1;

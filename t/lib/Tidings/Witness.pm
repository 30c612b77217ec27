# SPDX-License-Identifier: BSD-2-Clause
# Holds against the documents of the API what clients that are not of this harness have exchanged with the server, in the
# browser and in Node.js. They note it as one of these:
#
#	{method, path, headers: {}, body, answer: {status, headers: {}, body}}     the path with its query
#	{socket, sent: text}, {socket, received: text}                             a frame of that WebSocket
#	{closed: code}                                                             a WebSocket, by either side
package Tidings::Witness;
use strict;
use warnings;
use Encode qw(encode);
use JSON::PP ();
use Tidings::HTTP::Response;
use Tidings::Spec;

my $json = JSON::PP->new->utf8->allow_nonref;

sub new {
	my ($class) = @_;
	return bless {asked => {}, exchanges => 0, opened => 0, refused => 0, sent => 0, received => 0, closed => 0}, $class;
}

# How many were seen, of: exchanges, among them WebSockets opened and refused; frames sent, received; WebSockets closed.
sub count { my ($self, $what) = @_; return $self->{$what} }

sub take {
	my ($self, $note) = @_;
	return $self->exchange($note) if $note->{answer};
	return $self->sent($note->{socket}, encode('UTF-8', $note->{sent})) if defined $note->{sent};
	return $self->received($note->{socket}, encode('UTF-8', $note->{received})) if defined $note->{received};
	$self->{closed}++;
	return Tidings::Spec::check_close($note->{closed});
}

sub exchange {
	my ($self, $note) = @_;
	my ($given, $answer) = ($note->{headers}, $note->{answer});
	my $bytes = "$note->{method} $note->{path} HTTP/1.1\r\n" . join('', map { "$_: $given->{$_}\r\n" } sort keys %$given)
		. "\r\n" . encode('UTF-8', $note->{body});
	$self->{exchanges}++;
	$self->{$answer->{status} == 101 ? 'opened' : 'refused'}++ if $note->{path} =~ m{/messages/ws(?:\?|\z)};
	my $admin = $note->{path} =~ m{\A/(?:admin/|(?:healthz|readyz|metrics)\z)};
	return Tidings::Spec::check_exchange(method => $note->{method}, path => $note->{path}, bytes => $bytes, admin => $admin,
		response => Tidings::HTTP::Response->new($answer->{status}, $answer->{headers}, encode('UTF-8', $answer->{body})));
}

# A frame with a reference is looked at when it is answered.
sub sent {
	my ($self, $socket, $bytes) = @_;
	$self->{sent}++;
	my $ref = eval { $json->decode($bytes)->{ref} };
	return Tidings::Spec::check_frame($bytes) if !defined $ref;
	$self->{asked}{$socket}{$ref} = $bytes;
	return;
}

sub received {
	my ($self, $socket, $bytes) = @_;
	$self->{received}++;
	my $event = $json->decode($bytes);
	return Tidings::Spec::check_event($event, defined $event->{ref} ? delete $self->{asked}{$socket}{$event->{ref}} : undef);
}

1;

# SPDX-License-Identifier: BSD-2-Clause
# What the resources look like: exactly these members, with values of exactly these JSON types.
package Tidings::Shape;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Test::More;

our @EXPORT = qw(is_shape shape_faults $MESSAGE $GROUP_MESSAGE $PROFILE $FRIEND $FRIEND_REQUEST $NOTIFICATION $CONVERSATION $GROUP $SYNC $CHANGE $PROBLEM);

my $json = JSON::PP->new->allow_nonref;

sub type_of {
	my ($v) = @_;
	return 'null' if !defined $v;
	return 'bool' if JSON::PP::is_bool($v);
	return 'object' if ref $v eq 'HASH';
	return 'array' if ref $v eq 'ARRAY';
	return $json->encode($v) =~ /\A"/ ? 'string' : 'number';
}

my %scalar = (
	string => sub { type_of($_[0]) eq 'string' },
	id => sub { type_of($_[0]) eq 'string' && $_[0] =~ /\A(?:0|[1-9][0-9]{0,19})\z/ },
	time => sub { type_of($_[0]) eq 'string' && $_[0] =~ /\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/ },
	int => sub { type_of($_[0]) eq 'number' && $_[0] =~ /\A\d+\z/ },
	bool => sub { type_of($_[0]) eq 'bool' },
	object => sub { type_of($_[0]) eq 'object' },
	array => sub { type_of($_[0]) eq 'array' },
	strings => sub { type_of($_[0]) eq 'array' && !grep { type_of($_) ne 'string' } @{$_[0]} },
	ids => sub { type_of($_[0]) eq 'array' && !grep { !/\A(?:0|[1-9][0-9]{0,19})\z/ } @{$_[0]} },
	null => sub { !defined $_[0] },
);

our $MESSAGE = {id => 'id', conversation_id => 'id', seq => 'int', from_user_id => 'string', to_user_id => 'string',
	message_type => 'string', content => 'string?', media_url => 'string?', extra => 'object?', client_msg_id => 'string?',
	reply_to => 'id?', mentions => 'strings', entities => 'array?', forwarded_from => 'object?', reactions => 'array', is_read => 'bool', read_at => 'time?', is_recalled => 'bool', recalled_at => 'time?', edited_at => 'time?', expires_at => 'time?', created_at => 'time'};
our $GROUP_MESSAGE = {%$MESSAGE, to_user_id => 'null', is_read => 'null', read_at => 'null'};
our $PROFILE = {user_id => 'string', nickname => 'string?', avatar_url => 'string?', created_at => 'time?'};
our $FRIEND = {user => $PROFILE, online => 'bool', last_seen => 'time?', blocked => 'bool', since => 'time'};
our $FRIEND_REQUEST = {user => $PROFILE, note => 'string?', created_at => 'time'};
our $NOTIFICATION = {id => 'id?', kind => 'string', actor => '?profile', ref => 'object?', message_id => 'id?', body => 'string?',
	is_read => 'bool', created_at => 'time'};
our $CONVERSATION = {id => 'id', kind => 'string', peer => {user_id => 'string', nickname => 'string?', avatar_url => 'string?', online => 'bool'},
	group => 'null', last_message => '?message', last_message_time => 'time?', unread_count => 'int', mention_count => 'int', read_seq => 'int', peer_read_seq => 'int', peer_delivered_seq => 'int',
	first_seq => 'int', change_seq => 'int', settings => {muted_until => 'time?', pinned_at => 'time?', archived => 'bool', marked_unread => 'bool', draft => 'string?', mute_mentions => 'bool', expires_in => 'int?'},
	source => 'object?', created_at => 'time'};
our $GROUP = {%$CONVERSATION, peer => 'null', peer_read_seq => 'null', peer_delivered_seq => 'null', source => 'null', last_message => '?group_message',
	group => {name => 'string', avatar_url => 'string?', about => 'string?', owner_id => 'string', role => 'string', member_count => 'int',
		joined_at => 'time', dissolved_at => 'time?', settings => {join => 'string', history => 'string', send => 'string', add => 'string', slow_mode_seconds => 'int'}}};
our $CHANGE = {change_seq => 'int', kind => 'string', message_id => 'id', at => 'time'};
our $SYNC = {conversations => [{conversation => $CONVERSATION, messages => [$MESSAGE], changes => [$CHANGE], updated => [$MESSAGE], has_more => 'bool'}],
	gone => 'ids', cursor => 'string', more => 'bool'};
our $PROBLEM = {type => 'string', title => 'string', status => 'int', code => 'string', detail => 'string', request_id => 'string'};

# Every difference between the data and the shape, as text.
sub shape_faults {
	my ($data, $shape, $at) = @_;
	if (ref $shape eq 'HASH') {
		return "$at is no object" if ref $data ne 'HASH';
		my @faults = map { exists $data->{$_} ? shape_faults($data->{$_}, $shape->{$_}, "$at.$_") : "$at.$_ is missing" } sort keys %$shape;
		return @faults, map { "$at.$_ is not in the contract" } grep { !exists $shape->{$_} } sort keys %$data;
	}
	if (ref $shape eq 'ARRAY') {
		return "$at is no array" if ref $data ne 'ARRAY';
		return map { shape_faults($data->[$_], $shape->[0], "$at\[$_]") } 0 .. $#$data;
	}
	return defined $data ? shape_faults($data, $MESSAGE, $at) : () if $shape eq '?message';
	return defined $data ? shape_faults($data, $GROUP_MESSAGE, $at) : () if $shape eq '?group_message';
	return defined $data ? shape_faults($data, $PROFILE, $at) : () if $shape eq '?profile';
	return () if $shape =~ /\?\z/ && !defined $data;
	my ($type) = $shape =~ /\A(\w+)/;
	return $scalar{$type}->($data) ? () : "$at is no $type: " . $json->encode($data);
}

sub is_shape {
	my ($data, $shape, $name) = @_;
	my @faults = shape_faults($data, $shape, '$');
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(!@faults, $name) || diag(join "\n", @faults);
}

1;

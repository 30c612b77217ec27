# SPDX-License-Identifier: BSD-2-Clause
# Proves that groups are what a small model says they are: random operations of several users, through two nodes of two
# workers each, are done on both, and all that everybody sees of their groups is compared again and again: lists,
# histories, counts, members, what a client knows that only catches up; and with what the rows say. The seed is printed;
# TIDINGS_SEED repeats a run, TIDINGS_STEPS makes it longer.
use Tidings;
use Tidings::GroupModel;
use Tidings::Model qw(any_settings);
use Tidings::Recount;
use Tidings::SyncClient;

my $seed = $ENV{TIDINGS_SEED} // (time ^ $$);
my $steps = $ENV{TIDINGS_STEPS} // 600;
my @users = qw(ann bob cid dee eve fay);
my ($t, $model, %http, %ws, %device);
my ($codes, %tally) = 0;

# ---- one step ----

sub any { return $_[rand @_] }
sub codes { my ($g) = @_; my $of = $g->{invites}; return sort { $of->{$a}{n} <=> $of->{$b}{n} } keys %$of }
sub some { my ($n, @of) = @_; return map { any(@of) } 1 .. $n }
sub http { my ($user) = @_; my $node = int rand 2; return $http{"$user $node"} //= $t->http($user, node => $node) }
sub answered { my ($r) = @_; return $r->status < 400 ? $r->status : $r->status . ' ' . $r->code }
sub settings {
	my %of = (join => [qw(invite approval open)], history => [qw(all joined)], send => [qw(all all all admins)], add => [qw(all all admins)], slow_mode_seconds => [0, 0, 0, 3600]);
	return {map { $_ => any(@{$of{$_}}) } grep { rand() < 0.4 } sort keys %of};
}
# What a WebSocket answers, as REST would.
sub ws_answered {
	my ($e, $ok) = @_;
	my %status = (not_found => 404, group_dissolved => 409, muted => 403, sending_restricted => 403, forbidden => 403, not_sender => 403,
		rate_limited => 429, invalid_argument => 400, client_msg_id_reused => 409, conflict => 409);
	return $e->{type} eq 'error' ? ($status{$e->{code}} // '???') . " $e->{code}" : $e->{type} eq 'ack' ? ($e->{replayed} ? 200 : 201) : $ok;
}

my %do = (
	create => sub {
		my ($user) = @_;
		my $key = rand() < 0.4 ? 'k' . int rand 4 : undef;
		my ($users, $settings, $name) = ([some(int rand 5, @users, 'ghost')], settings(), 'g' . int rand 1000);
		my ($want, $g, $out) = $model->create($user, $users, $settings, $key, $name);
		my $r = http($user)->post('/groups', {name => $name, user_ids => $users, settings => $settings, client_group_id => $key});
		return (answered($r), $want) if !$g || answered($r) != $want;
		$g->{id} //= $r->json->{id};
		return ($r->json->{id} . left_out($r), $g->{id} . pairs($want == 200 ? {} : $out));
	},
	add => sub {
		my ($user, $g) = @_;
		my $users = [some(1 + int rand 4, @users, 'ghost')];
		my ($want, $in, $out) = $model->add($g, $user, $users);
		my $r = http($user)->post("/groups/$g->{id}/members", {user_ids => $users});
		return (answered($r), $want) if $r->status != 200 || $want ne 200;
		return ("@{$r->json->{added}}" . left_out($r), "@$in" . pairs($out));
	},
	send => sub {
		my ($user, $g) = @_;
		my %m = (content => 'n' . int rand 1e6);
		$m{mentions} = [some(1 + int rand 3, @users, 'ghost', rand() < 0.3 ? '*' : ())] if rand() < 0.3;
		$m{reply_to} = 1 + int rand($model->last_seq($g) + 2) if rand() < 0.2;
		$m{client_msg_id} = 'c' . int rand 1000 if rand() < 0.3;
		$m{expires_in} = 3600 if rand() < 0.15;
		my $sent = $model->{by_client}{$user};
		if ($sent && %$sent && rand() < 0.2) {
			my $old = any(map { $sent->{$_} } sort keys %$sent);
			%m = map { $_ => $old->{again}{$_} } keys %{$old->{again}};
			$m{content} = 'other' if rand() < 0.3;
			$g = $old->{group} if rand() < 0.8;
		}
		my ($want, $message) = $model->send($g, $user, %m);
		$message->{again} = {%m} if $want eq 201;
		my %body = %{text_in("$g->{id}", $m{content}, mentions => $m{mentions}, client_msg_id => $m{client_msg_id}, expires_in => $m{expires_in})};
		$body{reply_to} = ($g->{id} << 28) + $m{reply_to} . '' if defined $m{reply_to};
		my ($got, $answer);
		if (rand() < 0.5) {
			my $e = $ws{$user}->request(type => 'send', %body);
			($got, $answer) = (ws_answered($e), $e->{message});
		} else {
			my $r = http($user)->post('/messages/send', \%body);
			($got, $answer) = (answered($r), $r->json);
		}
		return ("$got: $answer->{detail} " . JSON::PP->new->encode(\%body), $want) if $got ne $want;
		return ($got, $want) if !$message;
		$message->{id} //= $answer->{id};
		return ($model->summary_of_answer($answer), $model->summary($message));
	},
	recall => sub {
		my ($user, $g) = @_;
		my $m = any(@{$g->{messages}});
		return (change($user, $m, 'PUT', '/recall', 'recall'), $model->recall($user, $m));
	},
	edit => sub {
		my ($user, $g) = @_;
		my @own = grep { $_->{from} eq $user } @{$g->{messages}};
		my $m = any(@own && rand() < 0.8 ? @own : @{$g->{messages}});
		my ($content, $mentions) = ('edit ' . int rand 3, [rand() < 0.5 ? any('*', @users) : (), rand() < 0.3 ? any(@users) : ()]);
		return (change($user, $m, 'PUT', '', 'edit', content => $content, mentions => $mentions), $model->edit($user, $m, $content, $mentions));
	},
	# Mostly what can be forwarded to where the user may be heard; and again with a key that was used.
	forward => sub {
		my ($user, $g) = @_;
		my @groups = $model->groups_of($user);
		my @fine = grep { !$_->{recalled} && !defined $_->{event} } map { $model->visible($_, $user) } @groups;
		my %of = map { id_of($_) => $_ } map { any(@fine && rand() < 0.9 ? @fine : @{$g->{messages}}) } 1 .. 1 + int rand 3;
		my @to = map { any(@groups && rand() < 0.8 ? @groups : @{$model->{groups}}) } 1 .. 1 + int rand 2;
		my ($merged, $key) = (rand() < 0.5 ? 1 : 0, rand() < 0.3 ? 'f' . int rand 1000 : undef);
		my $old = any(map { $model->{by_forward}{$user}{$_}{again} } sort keys %{$model->{by_forward}{$user}});
		($key, $merged, @to) = (@$old{qw(key merged)}, @{$old->{to}}) if $old && rand() < 0.5;
		%of = %{$old->{of}} if $old && rand() < 0.8;
		my @m = map { $of{$_} } sort { $a <=> $b } keys %of;
		my ($want, $results) = $model->forward($user, \@m, \@to, $merged, $key);
		$model->{by_forward}{$user}{$key}{again} //= {key => $key, merged => $merged, to => \@to, of => \%of} if defined $key && $model->{by_forward}{$user}{$key};
		my $r = http($user)->post('/messages/forward', {message_ids => [reverse map { id_of($_) } @m], to => [map { {conversation_id => "$_->{id}"} } @to], merged => $merged ? JSON::PP::true() : undef, client_msg_id => $key});
		return (answered($r), $want) if $want ne 200 || $r->status != 200;
		for my $i (0 .. $#$results) {
			my $sent = $results->[$i][0];
			$sent->[$_]{id} //= ($r->json->{results}[$i]{messages} // [])->[$_]{id} for 0 .. $#$sent;
		}
		return (join("\n", map { join '; ', (map { $model->summary_of_answer($_) } @{$_->{messages} // []}), $_->{error} ? $_->{error}{code} : '' } @{$r->json->{results}}),
			join("\n", map { join '; ', (map { $model->summary($_) } @{$_->[0]}), $_->[1] } @$results));
	},
	react => sub {
		my ($user, $g) = @_;
		my ($m, $emoji, $adds) = (any(@{$g->{messages}}), any('x', 'y'), rand() < 0.7);
		my $got = rand() < 0.5 ? answered(http($user)->request($adds ? 'PUT' : 'DELETE', '/messages/' . id_of($m) . "/reactions/$emoji"))
			: ws_answered($ws{$user}->request(type => $adds ? 'react' : 'unreact', message_id => id_of($m), emoji => $emoji), 200);
		return ($got, $model->react($user, $m, $emoji, $adds));
	},
	pin => sub {
		my ($user, $g) = @_;
		my ($m, $pins) = (any(@{$g->{messages}}), rand() < 0.6);
		return (answered(http($user)->request($pins ? 'PUT' : 'DELETE', '/messages/' . id_of($m) . '/pin')), $model->pin($user, $m, $pins));
	},
	delete => sub {
		my ($user, $g) = @_;
		my $m = any(@{$g->{messages}});
		return (change($user, $m, 'DELETE', '', 'delete'), $model->delete($user, $m));
	},
	read => sub {
		my ($user, $g) = @_;
		my $up_to = rand() < 0.4 ? undef : int rand($model->last_seq($g) + 3);
		my ($want, @want) = $model->read_up_to($g, $user, $up_to);
		my ($got, $answer);
		if (rand() < 0.5) {
			$answer = $ws{$user}->request(type => 'read', conversation_id => "$g->{id}", up_to_seq => $up_to);
			$got = ws_answered($answer, 200);
		} else {
			my $r = http($user)->put("/messages/conversations/$g->{id}/read", {up_to_seq => $up_to});
			($got, $answer) = (answered($r), $r->json);
		}
		return ($got, $want) if $got ne 200 || $want ne 200;
		return ("@$answer{qw(read_seq marked unread_count)}", "@want");
	},
	clear => sub {
		my ($user, $g) = @_;
		my $up_to = rand() < 0.4 ? undef : int rand($model->last_seq($g) + 3);
		return (answered(http($user)->delete("/messages/conversations/$g->{id}" . (defined $up_to ? "?up_to_seq=$up_to" : ''))), $model->clear($g, $user, $up_to));
	},
	set => sub {
		my ($user, $g) = @_;
		my %what = any_settings();
		my $want = $model->set($g, $user, %what);
		my $r = http($user)->put("/messages/conversations/$g->{id}/settings", \%what);
		return (answered($r), $want) if $r->status != 200 || $want ne 200;
		return map { Tidings::Model::own_text($_) } $r->json->{settings}, $g->{members}{$user}{own};
	},
	remove => sub {
		my ($user, $g) = @_;
		my ($peer, $ban) = (peer($user, $g), rand() < 0.3 ? 1 : 0);
		$ban = 0 if $peer eq $user;
		return (answered(http($user)->delete("/groups/$g->{id}/members/$peer" . ($ban ? '?ban=true' : ''))), $model->remove($g, $user, $peer, $ban));
	},
	leave => sub { my ($user, $g) = @_; return (answered(http($user)->delete("/groups/$g->{id}/members/$user")), $model->leave($g, $user)) },
	unban => sub {
		my ($user, $g) = @_;
		my $peer = any(sort(keys %{$g->{bans}}), any(@users));
		return (answered(http($user)->delete("/groups/$g->{id}/bans/$peer")), $model->unban($g, $user, $peer));
	},
	role => sub {
		my ($user, $g) = @_;
		my ($peer, $role) = (peer($user, $g), any(qw(admin member)));
		return (answered(http($user)->put("/groups/$g->{id}/members/$peer", {role => $role})), $model->set_member($g, $user, $peer, {role => $role}));
	},
	mute => sub {
		my ($user, $g) = @_;
		my ($peer, $muted) = (peer($user, $g), any(0, 1));
		my $r = http($user)->put("/groups/$g->{id}/members/$peer", {muted_until => $muted ? '2099-01-01T00:00:00Z' : any(undef, '2001-01-01T00:00:00Z')});
		return (answered($r), $model->set_member($g, $user, $peer, {muted => $muted}));
	},
	pass_on => sub {
		my ($user, $g) = @_;
		my $peer = peer($user, $g);
		return (answered(http($user)->put("/groups/$g->{id}/owner", {user_id => $peer})), $model->pass_on($g, $user, $peer));
	},
	change => sub {
		my ($user, $g) = @_;
		my ($name, $settings) = (rand() < 0.3 ? 'g' . int rand 3 : undef, settings());
		return (answered(http($user)->put("/groups/$g->{id}", {defined $name ? (name => $name) : (), settings => $settings})), $model->change($g, $user, $name, $settings));
	},
	dissolve => sub { my ($user, $g) = @_; return (answered(http($user)->delete("/groups/$g->{id}")), $model->dissolve($g, $user)) },
	invite => sub {
		my ($user, $g) = @_;
		my $max_uses = any(undef, 1, 2);
		my ($want, $invite) = $model->invite($g, $user, $max_uses);
		my $r = http($user)->post("/groups/$g->{id}/invites", {max_uses => $max_uses});
		$g->{invites}{$r->json->{code}} = {%$invite, n => ++$codes} if $invite && $r->status == 201;
		return (answered($r), $want);
	},
	revoke => sub {
		my ($user, $g) = @_;
		my $code = any(codes($g), 'AAAAAAAAAAAAAAAA');
		return (answered(http($user)->delete("/groups/$g->{id}/invites/$code")), $model->revoke($g, $user, $code));
	},
	join => sub {
		my ($user, $g) = @_;
		my @codes = codes($g);
		my $code = @codes && rand() < 0.6 ? any(@codes) : undef;
		my $r = http($user)->post(defined $code ? "/invites/$code" : "/groups/$g->{id}/join", {});
		return (answered($r), $model->join($g, $user, $code));
	},
	answer => sub {
		my ($user, $g) = @_;
		my ($peer, $accept) = (any(sort(keys %{$g->{requests}}), any(@users)), rand() < 0.7 ? 1 : 0);
		return (answered(http($user)->put("/groups/$g->{id}/requests/$peer/" . ($accept ? 'accept' : 'decline'))), $model->answer_request($g, $user, $peer, $accept));
	},
);

sub pairs { my ($out) = @_; return join '', map { " $_:$out->{$_}" } sort keys %$out }
sub left_out { my ($r) = @_; return pairs({map { $_->{user_id} => $_->{code} } @{$r->json->{left_out}}}) }

sub id_of { my ($m) = @_; return $m->{id} // ($m->{group}{id} << 28) + $m->{seq} . '' }

sub change {
	my ($user, $m, $method, $path, $type, %body) = @_;
	my $id = id_of($m);
	return answered(http($user)->request($method, "/messages/$id$path", %body ? (json => \%body) : ())) if rand() < 0.5;
	return ws_answered($ws{$user}->request(type => $type, message_id => $id, %body), $method eq 'DELETE' ? 204 : 200);
}

my %weight = (create => 3, add => 8, send => 60, forward => 14, recall => 8, edit => 14, react => 20, pin => 8, delete => 14, read => 22, clear => 4, set => 14, remove => 5, leave => 4, unban => 3, role => 4, mute => 4,
	pass_on => 2, change => 7, dissolve => 0.5, invite => 4, revoke => 1, join => 12, answer => 6);
my @kinds = map { ($_) x (2 * $weight{$_}) } sort keys %weight;

# Another user, mostly a member.
sub peer {
	my ($user, $g) = @_;
	my @others = grep { $_ ne $user } sort keys %{$g->{members}};
	return @others && rand() < 0.8 ? any(@others) : any(@users);
}

# Mostly by a member, who may have to be an admin, and in a group that is not dissolved.
sub step {
	my $name = @{$model->{groups}} ? any(@kinds) : 'create';
	my @alive = grep { !$_->{dissolved} } @{$model->{groups}};
	my @asked = grep { %{$_->{requests}} } @alive;
	my $g = any(@asked && $name eq 'answer' ? @asked : @alive && rand() < 0.9 ? @alive : @{$model->{groups}});
	my @members = $g ? sort keys %{$g->{members}} : ();
	my @admins = grep { $g->{members}{$_}{role} ne 'member' } @members;
	my $outside = $name =~ /^(?:join|create)$/ ? 1 : 0.15;
	my $user = rand() < $outside || !@members ? any(@users) : $name !~ /^(?:send|forward|read|react|delete|clear|set)$/ && @admins && rand() < 0.7 ? any(@admins) : any(@members);
	my ($got, $want) = $do{$name}->($user, $g);
	$tally{$name}{$want =~ /^[45]/ ? 'refused' : 'done'}++;
	return $got eq $want ? () : "$name by $user in " . ($g && $g->{id} // 'none') . ": $got, not $want";
}

# ---- what everybody sees ----

sub history_of {
	my ($http, $id) = @_;
	my ($before, @all) = '';
	while (1) {
		my $page = $http->get("/messages/conversations/$id/messages?limit=100$before")->json;
		unshift @all, @{$page->{items}};
		return map { $model->summary_of_answer($_) } @all if !$page->{has_more};
		$before = "&before=$all[0]{seq}";
	}
}

# Every item of a list that comes page by page.
sub all_of {
	my ($http, $path, $limit, $which) = (@_, '');
	my ($cursor, @all) = '';
	while (1) {
		my $r = $http->get("$path?limit=$limit$which$cursor");
		return answered($r) if $r->status != 200;
		push @all, @{$r->json->{items}};
		return @all if !defined $r->json->{next_cursor};
		$cursor = '&cursor=' . $r->json->{next_cursor};
	}
}

# What a merged message holds, and what is merged in that.
sub parts_seen {
	my ($http, $m, $part) = @_;
	my ($query, $text) = (defined $part ? "&part=$part" : '', '');
	for (my $cursor = ''; defined $cursor;) {
		my $r = $http->get('/messages/' . id_of($m) . "/forwarded?limit=2$query$cursor");
		return answered($r) if $r->status != 200;
		for my $p (@{$r->json->{items}}) {
			my $holds = $p->{message_type} eq 'forward' ? ' ' . parts_seen($http, $m, $p->{part}) : '';
			$text .= "($p->{from_user_id} " . ($p->{content} // '') . ($p->{forwarded_from} ? " of $p->{forwarded_from}{user_id}" : '') . "$holds)";
		}
		my $next = $r->json->{next_cursor};
		$cursor = defined $next ? "&cursor=$next" : undef;
	}
	return $text;
}

sub seen {
	my ($http, $user, $c) = @_;
	my $id = $c->{id};
	my $is_admin = $c->{group}{role} ne 'member';
	my $one = $http->get("/groups/$id")->json;
	# One that was cleared before the device began is not known.
	my $known = $device{$user}->known->{$id} ? $device{$user}->known->{$id}{messages} : {};
	my $caught_up = $device{$user}->known->{$id} ? $device{$user}->known->{$id}{conversation} : $one;
	return {(map { $_ => $c->{$_} } qw(read_seq first_seq)), own => join(', ', map { Tidings::Model::own_text($_->{settings}) } $c, $one, $caught_up), (map { $_ => $c->{group}{$_} } qw(name owner_id role member_count settings)),
		unread => "$c->{unread_count} $c->{mention_count}", alone => "@$one{qw(unread_count mention_count read_seq first_seq)}",
		recounted => join(' ', Tidings::Recount::group_unread($t->dbh, $id, $user)),
		dissolved => defined $c->{group}{dissolved_at} ? 1 : 0,
		last => $c->{last_message} && $model->summary_of_answer($c->{last_message}), history => [history_of($http, $id)],
		pins => [map { $model->summary_of_answer($_) } @{$http->get("/messages/conversations/$id/pins")->json->{items}}],
		members => [map { "$_->{user}{user_id} $_->{role}" . ($_->{muted_until} ? ' muted' : '') } all_of($http, "/groups/$id/members", 2)],
		bans => [map { ref ? "$_->{user}{user_id} by $_->{banned_by}" : $_ } all_of($http, "/groups/$id/bans", 2)],
		requests => [map { ref ? $_->{user}{user_id} : $_ } all_of($http, "/groups/$id/requests", 2)],
		caught_up => [map { $model->summary_of_answer($known->{$_}) } sort { $a <=> $b } keys %$known]};
}

sub expected {
	my ($user, $g) = @_;
	my $me = $g->{members}{$user};
	my @visible = map { $model->summary($_) } $model->visible($g, $user);
	my ($unread, $mentions) = (scalar $model->unread($g, $user), scalar $model->mentioned($g, $user));
	my $is_admin = $me->{role} ne 'member';
	my ($owner) = grep { $g->{members}{$_}{role} eq 'owner' } keys %{$g->{members}};
	return {own => join(', ', (Tidings::Model::own_text($me->{own})) x 3), read_seq => $me->{read_seq}, first_seq => $me->{first_seq}, name => $g->{name}, role => $me->{role}, member_count => scalar keys %{$g->{members}},
		settings => $g->{settings}, owner_id => $owner // $g->{owner}, unread => "$unread $mentions", alone => "$unread $mentions $me->{read_seq} $me->{first_seq}",
		recounted => "$unread $mentions", dissolved => $g->{dissolved}, last => $visible[-1], history => \@visible, pins => [map { $model->summary($_) } $model->pinned($g, $user)], caught_up => \@visible,
		members => [$model->members_in_order($g)],
		bans => $is_admin ? [map { "$_ by $g->{bans}{$_}" } sort keys %{$g->{bans}}] : ['403 forbidden'],
		requests => $is_admin ? [sort keys %{$g->{requests}}] : ['403 forbidden']};
}

# Some of the messages that are to expire, also of senders who have left and of dissolved groups.
sub expire {
	my @m = grep { $_->{expires_in} && !$_->{recalled} && rand() < 0.5 } map { @{$_->{messages}} } @{$model->{groups}};
	$t->expire(map { $_->{id} } @m) if @m;
	Tidings::Model::strip($_, $_->{group}) for @m;
	return;
}

sub compare {
	my ($at) = @_;
	for my $user (@users) {
		my $http = http($user);
		$device{$user}->catch_up($http);
		my @list = all_of($http, '/messages/conversations', 3);
		my @archived = all_of($http, '/messages/conversations', 2, '&archived=true');
		for my $of (\@list, \@archived) {
			is_deeply [map { $_->{id} } @$of], [map { $_->{id} } Tidings::Model::in_list_order(@$of)], "$at: the pinned ones first, each part the latest first";
			is_deeply [grep { !$_->{settings}{archived} ne ($of == \@list) } @$of], [], "$at: what is archived is in a list of its own" or return 0;
		}
		# Those that were cleared are not listed, and can be read all the same.
		my @cleared = map { $http->get("/messages/conversations/$_->{id}")->json } grep { !$model->is_listed($_, $user) } $model->groups_of($user);
		my %got = map { $_->{id} => seen($http, $user, $_) } @list, @archived, @cleared;
		is scalar keys %got, @list + @archived + @cleared, "$at: what is cleared is not listed" or return 0;
		my %want = map { $_->{id} => expected($user, $_) } $model->groups_of($user);
		# Who owns a dissolved group whose owner has left it, nobody needs to know.
		for (grep { $want{$_} && !defined $want{$_}{owner_id} } keys %got) { delete $_->{owner_id} for $got{$_}, $want{$_} }
		is_deeply \%got, \%want, "$at: $user sees what the model says (seed $seed)" or return 0;
		my ($unread, $mentions) = (0, 0);
		for my $g ($model->groups_of($user)) {
			$unread += () = $model->unread($g, $user);
			$mentions += () = $model->mentioned($g, $user);
		}
		is_deeply $http->get('/messages/unread-count')->json, {unread_count => $unread, mention_count => $mentions}, "$at: and that much unread" or return 0;
		is_deeply [sort map { $_->{id} } all_of($http, '/messages/mentions', 5)], [sort map { $_->{id} } $model->mentions_of($user)], "$at: and these mentions (seed $seed)" or return 0;
		my @foreign = grep { !$_->{members}{$user} } @{$model->{groups}};
		my @merged = map { $model->merged($_) } @{$model->{groups}};
		is_deeply [map { parts_seen($http, $_) } @merged], [map { $model->parts_seen($user, $_) } @merged], "$at: and in merged messages that they see what was merged (seed $seed)" or return 0;
		is_deeply [map { answered($http->get("/groups/$_->{id}")) } @foreign], [('404 not_found') x @foreign], "$at: and nothing of other groups" or return 0;
		$_->settle, $_->{events} = [] for $ws{$user};
	}
	is_deeply [$t->recount_faults], [], "$at: the rows agree with each other (seed $seed)" or return 0;
	return 1;
}

diag("TIDINGS_SEED=$seed");
$t = Tidings->start(workers => 2, nodes => 2, conf => {groups => {max_members => 5, max_per_user => 7}, message => {recall_window => 86400}});
$t->befriend(@users);
$t->unfriend('dee', 'fay');
$t->set_blocked('bob', 'eve', 1);
my %friends = map { my $a = $_; map { (Tidings::GroupModel::pair($a, $_) => 1) } grep { $_ ne $a } @users } @users;
delete $friends{'dee fay'};
$model = Tidings::GroupModel->new(known => {map { $_ => 1 } @users}, friends => \%friends, blocked => {'bob eve' => 1}, max_members => 5, max_per_user => 7);
%ws = map { $_ => $t->ws($_, node => int rand 2) } @users;
%device = map { $_ => Tidings::SyncClient->new } @users;
for my $i (1 .. $steps) {
	srand $seed * 1_000_003 + $i; # for the clients draw numbers, too
	my $fault = step();
	if (defined $fault) {
		fail("step $i: $fault (seed $seed)");
		last;
	}
	$_->{events} = [] for values %ws;
	next if $i % 150 && $i != $steps;
	expire();
	compare("after $i steps") or last;
}
note(join "\n", map { my $of = $tally{$_}; "$_: " . join ', ', map { "$of->{$_} $_" } sort keys %$of } sort keys %tally);
$t->stop;

done_testing;

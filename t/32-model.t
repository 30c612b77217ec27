# SPDX-License-Identifier: BSD-2-Clause
# Proves that conversations are what a small model says they are: random operations by REST and WebSocket are done on
# both, and lists, histories, unread counts and catching up of every user are compared again and again. The seed is
# printed; TIDINGS_SEED repeats a run, TIDINGS_STEPS makes it longer.
use Tidings;
use Tidings::Model qw(any_settings);

my $seed = $ENV{TIDINGS_SEED} // (time ^ $$);
my $steps = $ENV{TIDINGS_STEPS} // 400;
my @users = qw(ann bob cid dee);

# One random operation on both; returns a text if they differ.
sub step {
	my ($t, $model, $ws) = @_;
	my $user = $users[rand @users];
	my $other = (grep { $_ ne $user } @users)[rand @users - 1];
	my @known = map { @{$_->{messages}} } values %{$model->{conversations}};
	my $m = @known ? $known[rand @known] : undef;
	my $by_ws = rand() < 0.5;
	my $what = rand;
	if ($what < 0.43 || !$m) {
		my %m = (content => 'n' . int rand 1e6);
		$m{expires_in} = 3600 if rand() < 0.15;
		if (rand() < 0.3) {
			$m{client_msg_id} = 'c' . int rand 20;
			$m{content} = 'c' . int rand 2;
		} elsif (rand() < 0.4) {
			$m{mentions} = ([$other], ['*'], [$user, $other], [grep { $_ ne $other } @users])[rand 4];
		}
		my ($want, $mm) = $model->send($user, $other, %m);
		my ($got, $answer);
		if ($by_ws) {
			my $e = $ws->{$user}->request(type => 'send', to_user_id => $other, message_type => 'text', %m);
			$got = $e->{type} eq 'ack' ? ($e->{replayed} ? 200 : 201) : 409;
			$answer = $e->{message};
		} else {
			my $r = $t->api($user)->post('/messages/send', text_to($other, delete $m{content}, %m));
			($got, $answer) = ($r->status, $r->json);
		}
		return "send by $user: $got, not $want" if $got != $want;
		return if $got == 409;
		if ($got == 201) {
			$mm->{id} = $answer->{id};
			$mm->{conversation}{id} //= $answer->{conversation_id};
		}
		return "send by $user answers another message" if $model->summary_of_answer($answer) ne $model->summary($mm);
		return;
	}
	if ($what > 0.95) {
		my ($want, $copy) = $model->forward($user, $m, $other);
		my $r = $t->api($user)->post('/messages/forward', {message_ids => ["$m->{id}"], to => [{user_id => $other}]});
		return "forward of $m->{from}>$m->{to} by $user: " . $r->status . ", not $want" if $r->status != $want;
		return if $want != 200;
		my $answer = $r->json->{results}[0]{messages}[0];
		$copy->{id} = $answer->{id};
		$copy->{conversation}{id} //= $answer->{conversation_id};
		return $model->summary_of_answer($answer) eq $model->summary($copy) ? () : "forward by $user answers another message";
	}
	my @text = ('edit ' . int rand 3, rand() < 0.3 ? $users[rand @users] : ());
	my $emoji = ('x', 'y', 'z')[rand 3];
	my %op = (react => [0.47, sub { $model->react($user, $m, $emoji, 1) }, PUT => "/messages/$m->{id}/reactions/$emoji", {message_id => $m->{id}, emoji => $emoji}],
		unreact => [0.49, sub { $model->react($user, $m, $emoji, 0) }, DELETE => "/messages/$m->{id}/reactions/$emoji", {message_id => $m->{id}, emoji => $emoji}],
		pin => [0.505, sub { $model->pin($user, $m, 1) }, PUT => "/messages/$m->{id}/pin"],
		unpin => [0.515, sub { $model->pin($user, $m, 0) }, DELETE => "/messages/$m->{id}/pin"],
		edit => [0.55, sub { $model->edit($user, $m, @text) }, PUT => "/messages/$m->{id}", {message_id => $m->{id}, content => $text[0], mentions => [@text[1 .. $#text]]}],
		recall => [0.59, sub { $model->recall($user, $m) }, PUT => "/messages/$m->{id}/recall", {message_id => $m->{id}}],
		delete => [0.7, sub { $model->delete($user, $m) }, DELETE => "/messages/$m->{id}", {message_id => $m->{id}}],
		readone => [0.8, sub { $model->read_message($user, $m) }, PUT => "/messages/$m->{id}/read"]);
	for my $name (sort { $op{$a}[0] <=> $op{$b}[0] } keys %op) {
		my ($below, $in_model, $method, $path, $frame) = @{$op{$name}};
		next if $what >= $below;
		my $want = $in_model->();
		my $got;
		if ($by_ws && $frame) {
			my $e = $ws->{$user}->request(type => $name, %$frame);
			$got = $e->{type} eq 'result' ? ($name eq 'delete' ? 204 : 200) : $e->{code} eq 'not_found' ? 404 : $e->{code} eq 'conflict' ? 409 : 403;
		} else {
			$got = $t->api($user)->request($method, $path, $name eq 'edit' ? (json => $frame) : ())->status;
		}
		return $got == $want ? () : "$name of $m->{from}>$m->{to} by $user: $got, not $want";
	}
	my $c = $m->{conversation};
	return clear($t, $model, $user, $c) if $what < 0.815;
	return deliver($t, $model, $ws, $user, $c) if $what < 0.85;
	return set($t, $model, $user, $c) if $what < 0.9;
	my $up_to = rand() < 0.5 ? undef : int rand(@{$c->{messages}} + 3);
	my ($want, @want) = $model->read_conversation($user, $c, $up_to);
	my ($got, $answer);
	if ($by_ws) {
		$answer = $ws->{$user}->request(type => 'read', conversation_id => $c->{id}, up_to_seq => $up_to);
		$got = $answer->{type} eq 'result' ? 200 : 404;
	} else {
		my $r = $t->api($user)->put("/messages/conversations/$c->{id}/read", {up_to_seq => $up_to});
		($got, $answer) = ($r->status, $r->json);
	}
	return "read by $user: $got, not $want" if $got != $want;
	return if $got != 200;
	my @got = @$answer{qw(read_seq marked unread_count)};
	return "@got" eq "@want" ? () : "read by $user up to " . ($up_to // 'all') . ": @got, not @want";
}

sub clear {
	my ($t, $model, $user, $c) = @_;
	my $up_to = rand() < 0.4 ? undef : int rand(@{$c->{messages}} + 3);
	my $got = $t->api($user)->delete("/messages/conversations/$c->{id}" . (defined $up_to ? "?up_to_seq=$up_to" : ''))->status;
	my $want = $model->clear($user, $c, $up_to);
	return $got == $want ? () : "clearing by $user up to " . ($up_to // 'all') . ": $got, not $want";
}

sub set {
	my ($t, $model, $user, $c) = @_;
	my %what = any_settings();
	my $want = $model->set($user, $c, %what);
	my $r = $t->api($user)->put("/messages/conversations/$c->{id}/settings", \%what);
	return 'settings by ' . $user . ': ' . $r->status . ", not $want" if $r->status != $want;
	return if $want != 200;
	my ($got, $own) = map { Tidings::Model::own_text($_) } $r->json->{settings}, $c->{own}{$user};
	return $got eq $own ? () : "settings by $user: $got, not $own";
}

# A report has no answer, and may wait for a second.
sub deliver {
	my ($t, $model, $ws, $user, $c) = @_;
	my $up_to = int rand(@{$c->{messages}} + 1);
	my $want = $model->deliver($user, $c, $up_to) // return;
	$ws->{$user}->send_json({type => 'delivered', conversation_id => $c->{id}, up_to_seq => $up_to});
	if ($want == 404) {
		my $code = $ws->{$user}->expect('error')->{code};
		return $code eq 'not_found' ? () : "delivered by $user: $code";
	}
	my $delivered = $model->delivered($user, $c);
	wait_for("$user to be told to have all up to $delivered", sub { $t->api($model->peer($c, $user))->get("/messages/conversations/$c->{id}")->json->{peer_delivered_seq} == $delivered });
	return;
}

# All of a list, by pages of a few.
sub listed {
	my ($http, $which) = @_;
	my ($limit, $cursor, @all) = (1 + int rand 4, '');
	while (defined $cursor) {
		my $page = $http->get("/messages/conversations?limit=$limit$which$cursor")->json;
		push @all, @{$page->{items}};
		$cursor = defined $page->{next_cursor} ? "&cursor=$page->{next_cursor}" : undef;
	}
	return @all;
}

# Some of those that are to.
sub expire {
	my ($t, $model) = @_;
	my @m = grep { $_->{expires_in} && !$_->{recalled} && rand() < 0.5 } map { @{$_->{messages}} } values %{$model->{conversations}};
	$t->expire(map { $_->{id} } @m) if @m;
	Tidings::Model::strip($_, $_->{conversation}) for @m;
	return;
}

sub compare {
	my ($t, $model, $at) = @_;
	for my $user (@users) {
		my $http = $t->api($user);
		my (%got, %want);
		my %list = map { $_ => [listed($http, "&archived=$_")] } qw(false true);
		for my $which (sort keys %list) {
			my @ids = map { $_->{id} } @{$list{$which}};
			is_deeply \@ids, [map { $_->{id} } Tidings::Model::in_list_order(@{$list{$which}})], "$at: the pinned ones first, each part the latest first";
			is_deeply [grep { !$_->{settings}{archived} ne ($which eq 'false') } @{$list{$which}}], [], "$at: what is archived is in a list of its own";
		}
		for my $c (map { @$_ } values %list) {
			my $history = $http->get("/messages/conversations/$c->{id}/messages?limit=100")->json->{items};
			my @all = @$history;
			while (@$history == 100) {
				$history = $http->get("/messages/conversations/$c->{id}/messages?limit=100&before=$history->[0]{seq}")->json->{items};
				unshift @all, @$history;
			}
			my $synced = $http->post('/messages/sync', {conversations => [{id => $c->{id}, seq => 0, change_seq => $c->{change_seq}}], since => undef, limit => 100})->json->{conversations};
			$got{$c->{id}} = {
				peer => $c->{peer}{user_id}, first_seq => $c->{first_seq}, unread => $c->{unread_count}, mentions => $c->{mention_count}, read_seq => $c->{read_seq}, peer_read_seq => $c->{peer_read_seq}, delivered => $c->{peer_delivered_seq}, own => Tidings::Model::own_text($c->{settings}),
				last => $c->{last_message} && $model->summary_of_answer($c->{last_message}),
				history => [map { $model->summary_of_answer($_) } @all],
				pins => [map { $model->summary_of_answer($_) } @{$http->get("/messages/conversations/$c->{id}/pins")->json->{items}}],
				sync => [map { $model->summary_of_answer($_) } map { @{$_->{messages}} } @$synced],
			};
		}
		my @total = (0, 0);
		for my $c ($model->of($user)) {
			if (!$model->is_listed($user, $c)) {
				my $one = $http->get("/messages/conversations/$c->{id}")->json;
				is_deeply [@$one{qw(last_message unread_count first_seq)}, Tidings::Model::own_text($one->{settings}), $http->get("/messages/conversations/$c->{id}/messages")->json->{items}], [undef, 0, 1 + @{$c->{messages}}, Tidings::Model::own_text($c->{own}{$user}), []], "$at: $user has cleared one";
				next;
			}
			my @visible = map { $model->summary($_) } $model->visible($user, $c);
			my $peer = $model->peer($c, $user);
			$total[0] += $model->unread($user, $c);
			$total[1] += $model->unread_mentions($user, $c);
			$want{$c->{id}} = {
				peer => $peer, first_seq => 1 + ($c->{cleared}{$user} // 0), unread => $model->unread($user, $c), mentions => $model->unread_mentions($user, $c), read_seq => $c->{read_seq}{$user}, peer_read_seq => $c->{read_seq}{$peer}, delivered => $model->delivered($peer, $c), own => Tidings::Model::own_text($c->{own}{$user}),
				last => $visible[-1], history => \@visible, pins => [map { $model->summary($_) } grep { !Tidings::Model::is_out($user, $_) && !$_->{deleted}{$user} } @{$c->{pins}}], sync => [@visible > 100 ? @visible[0 .. 99] : @visible],
			};
		}
		is_deeply \%got, \%want, "$at: $user sees what the model says (seed $seed)" or return 0;
		is_deeply [@{$http->get('/messages/unread-count')->json}{qw(unread_count mention_count)}], \@total, "$at: and that much unread";
		my ($cursor, @listed) = '';
		do {
			my $page = $http->get("/messages/mentions?limit=100$cursor")->json;
			push @listed, map { $_->{id} } grep { $_->{from_user_id} ne $user } @{$page->{items}};
			$cursor = defined $page->{next_cursor} ? "&cursor=$page->{next_cursor}" : undef;
		} while (defined $cursor);
		is_deeply [sort @listed], [sort map { $_->{id} } $model->mentions($user)], "$at: whom others mention finds each mention once";
	}
	is_deeply [$t->recount_faults], [], "$at: the rows agree with the counters";
	return 1;
}

diag("TIDINGS_SEED=$seed");
for_workers('model', {}, sub {
	my ($t, $workers) = @_;
	srand $seed + $workers;
	$t->befriend(@users);
	my $model = Tidings::Model->new;
	my %ws = map { $_ => $t->ws($_) } @users;
	for my $i (1 .. $steps) {
		my $fault = step($t, $model, \%ws);
		return fail("step $i: $fault (seed $seed)") if defined $fault;
		$_->{events} = [] for values %ws;
		next if $i % 100 && $i != $steps;
		expire($t, $model);
		compare($t, $model, "after $i steps") or return;
	}
});

done_testing;
